-- The tables of a job's life, by temperature: the body is written once; `ready` and `running` are tiny
-- and turn over with every job; `finished` is append-mostly. A job is in exactly one of ready,
-- scheduled, awaiting, running and finished, and that is its state. Times are microseconds UTC.
--
-- Every step can be taken again from any place, because the database commits each statement by itself. `{text}`
-- is the collation that compares text by its bytes, trailing blanks included; it has two names.

-- The body: what was asked, and the counts that outlive an attempt. `cancelled_keep` is how long the job
-- is kept if its parent's end cancels it, which no client is there to decide; null is for ever.
-- `schedule` and `slot_at` are the slot that it was made for.
CREATE TABLE IF NOT EXISTS portfire_job (
    id BINARY(16) NOT NULL PRIMARY KEY,
    kind VARCHAR(128) NOT NULL,
    queue VARCHAR(128) NOT NULL,
    priority SMALLINT NOT NULL,
    run_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    args MEDIUMTEXT NOT NULL,
    policy TEXT,
    unique_name VARCHAR(128),
    tags TEXT,
    has_parents BOOLEAN NOT NULL,
    cancelled_keep BIGINT,
    schedule VARCHAR(128),
    slot_at BIGINT,
    attempts INT NOT NULL DEFAULT 0,
    crashes INT NOT NULL DEFAULT 0,
    last_token BINARY(16),
    last_state VARCHAR(16)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

-- Enqueued jobs, clustered in claim order: a claim reads from the head and needs no other index, so that there
-- is one order only in which its rows are locked.
CREATE TABLE IF NOT EXISTS portfire_ready (
    queue VARCHAR(128) NOT NULL,
    priority SMALLINT NOT NULL,
    run_at BIGINT NOT NULL,
    id BINARY(16) NOT NULL,
    kind VARCHAR(128) NOT NULL,
    PRIMARY KEY (queue, priority, run_at, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

-- Jobs that wait for a time. `retrying` is true after a failed attempt. Lists of scheduled and of retrying jobs
-- do not read each other's rows.
CREATE TABLE IF NOT EXISTS portfire_scheduled (
    run_at BIGINT NOT NULL,
    id BINARY(16) NOT NULL,
    retrying BOOLEAN NOT NULL,
    PRIMARY KEY (run_at, id),
    KEY list (retrying, run_at, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

-- Jobs that wait for others, and how many.
CREATE TABLE IF NOT EXISTS portfire_awaiting (
    id BINARY(16) NOT NULL PRIMARY KEY,
    waiting_for INT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

-- Jobs that a server holds. Deleting from here, guarded by the token, is the fence of a settlement.
-- `place` counts within a claim: two runs of one claim cannot both take a job, so repeating is safe even
-- while the first is still at work.
CREATE TABLE IF NOT EXISTS portfire_running (
    id BINARY(16) NOT NULL PRIMARY KEY,
    token BINARY(16) NOT NULL,
    place INT NOT NULL,
    server BINARY(16) NOT NULL,
    attempt INT NOT NULL,
    started_at BIGINT NOT NULL,
    cancel_requested BOOLEAN NOT NULL,
    UNIQUE KEY claim (token, place),
    KEY cancel (cancel_requested, server)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

-- Jobs that ended. `prune_at` is null for those kept until somebody deletes them. `fingerprint` is the group of
-- failures that a failed job is in.
CREATE TABLE IF NOT EXISTS portfire_finished (
    id BINARY(16) NOT NULL PRIMARY KEY,
    state VARCHAR(16) NOT NULL,
    finished_at BIGINT NOT NULL,
    started_at BIGINT,
    token BINARY(16),
    server BINARY(16),
    prune_at BIGINT,
    fingerprint VARCHAR(16),
    KEY list (state, finished_at, id),
    KEY prune (prune_at, id),
    KEY fault (fingerprint, finished_at, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

-- Attempts that did not succeed, in the order in which they were settled.
CREATE TABLE IF NOT EXISTS portfire_attempt (
    job BINARY(16) NOT NULL,
    seq INT NOT NULL,
    attempt INT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    server BINARY(16) NOT NULL,
    outcome VARCHAR(32) NOT NULL,
    fault MEDIUMTEXT,
    PRIMARY KEY (job, seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

CREATE TABLE IF NOT EXISTS portfire_result (
    job BINARY(16) NOT NULL PRIMARY KEY,
    result MEDIUMTEXT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

-- Unique names of jobs that have not ended.
CREATE TABLE IF NOT EXISTS portfire_unique_name (
    kind VARCHAR(128) NOT NULL,
    name VARCHAR(128) NOT NULL,
    job BINARY(16) NOT NULL,
    PRIMARY KEY (kind, name),
    KEY job (job)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

-- Who waits for whom; once decided, a copy of what the parent came to, so that it outlives the parent.
CREATE TABLE IF NOT EXISTS portfire_dependency (
    child BINARY(16) NOT NULL,
    `position` INT NOT NULL,
    parent BINARY(16) NOT NULL,
    on_end VARCHAR(16) NOT NULL,
    state VARCHAR(16),
    result MEDIUMTEXT,
    PRIMARY KEY (child, `position`),
    KEY parent (parent, child)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

CREATE TABLE IF NOT EXISTS portfire_tag (
    tag VARCHAR(128) NOT NULL,
    job BINARY(16) NOT NULL,
    PRIMARY KEY (tag, job),
    KEY job (job)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

CREATE TABLE IF NOT EXISTS portfire_progress (
    job BINARY(16) NOT NULL PRIMARY KEY,
    done BIGINT NOT NULL,
    total BIGINT,
    message TEXT
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

CREATE TABLE IF NOT EXISTS portfire_log (
    job BINARY(16) NOT NULL,
    seq INT NOT NULL,
    attempt INT NOT NULL,
    at BIGINT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (job, seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

-- `ordered` is what the server is to do; it hears of it at its next heartbeat.
CREATE TABLE IF NOT EXISTS portfire_server (
    id BINARY(16) NOT NULL PRIMARY KEY,
    started_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    info MEDIUMTEXT NOT NULL,
    ordered VARCHAR(16) NOT NULL DEFAULT 'run'
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

-- The last claim of each server that was given up: no claim up to it takes anything new, however late its statements
-- come. Not in the server's own row, which a heartbeat must never wait for: a claim holds this one until it commits.
CREATE TABLE IF NOT EXISTS portfire_closed (
    server BINARY(16) NOT NULL PRIMARY KEY,
    token BINARY(16) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};
