-- Steering: queues that are paused, and what persons did.

-- Queues from which nothing is claimed. A row goes when its queue is resumed. Who and why are null unless it
-- was a person.
CREATE TABLE IF NOT EXISTS portfire_paused_queue (
    name VARCHAR(128) NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL,
    actor VARCHAR(128),
    reason TEXT
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

-- One row for each target that a person changed, or was refused. `sort` says what the target is. Never changed,
-- and without ties to anything: it outlives what it speaks of.
CREATE TABLE IF NOT EXISTS portfire_audit (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at BIGINT NOT NULL,
    sort VARCHAR(16) NOT NULL,
    target VARCHAR(128) NOT NULL,
    action VARCHAR(32) NOT NULL,
    actor VARCHAR(128) NOT NULL,
    via VARCHAR(16) NOT NULL,
    reason TEXT,
    was TEXT,
    became TEXT,
    outcome VARCHAR(16) NOT NULL,
    KEY target (sort, target, id),
    KEY prune (at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};
