-- Recurring jobs: what is put, and which slots had their turn. A slot of a schedule is one row of `slot`
-- at most, whoever fires it: that is what keeps it from getting two jobs.

-- `next_at` is null while nothing is to come: flagged if there is a problem, else paused.
CREATE TABLE IF NOT EXISTS portfire_schedule (
    id VARCHAR(128) NOT NULL PRIMARY KEY,
    cron VARCHAR(256) NOT NULL,
    zone VARCHAR(64) NOT NULL,
    definition MEDIUMTEXT NOT NULL,
    revision BIGINT NOT NULL,
    next_at BIGINT,
    problem TEXT,
    last_slot BIGINT,
    last_job BINARY(16),
    created_at BIGINT NOT NULL,
    KEY due (next_at, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

CREATE TABLE IF NOT EXISTS portfire_slot (
    schedule VARCHAR(128) NOT NULL,
    at BIGINT NOT NULL,
    fired_at BIGINT NOT NULL,
    fate VARCHAR(16) NOT NULL,
    job BINARY(16),
    PRIMARY KEY (schedule, at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};
