-- Recurring jobs: what is put, and which slots had their turn. A slot of a schedule is one row of `slot`
-- at most, whoever fires it: that is what keeps it from getting two jobs.

-- The slot that a job was made for.
ALTER TABLE portfire_job ADD COLUMN schedule TEXT;
ALTER TABLE portfire_job ADD COLUMN slot_at INTEGER;

-- `next_at` is null while nothing is to come: flagged if there is a problem, else paused.
CREATE TABLE portfire_schedule (
    id TEXT NOT NULL PRIMARY KEY,
    cron TEXT NOT NULL,
    zone TEXT NOT NULL,
    definition TEXT NOT NULL,
    revision INTEGER NOT NULL,
    next_at INTEGER,
    problem TEXT,
    last_slot INTEGER,
    last_job BLOB,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX portfire_schedule_due ON portfire_schedule (next_at, id) WHERE next_at IS NOT NULL;

CREATE TABLE portfire_slot (
    schedule TEXT NOT NULL,
    at INTEGER NOT NULL,
    fired_at INTEGER NOT NULL,
    fate TEXT NOT NULL,
    job BLOB,
    PRIMARY KEY (schedule, at)
) STRICT, WITHOUT ROWID;
