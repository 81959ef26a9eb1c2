-- The application's own tables. They live beside Portfire's in one file, so that one transaction can
-- change users and enqueue jobs.

CREATE TABLE IF NOT EXISTS users (
    id           INTEGER PRIMARY KEY,
    display_name TEXT    NOT NULL,
    email        TEXT    NOT NULL,
    email_key    TEXT    NOT NULL UNIQUE,  -- the address in lower case
    created_at   INTEGER NOT NULL,         -- microseconds since 1970
    deleted_at   INTEGER                   -- when it was marked as deleted; removed 30 days later
) STRICT;

-- How far each import is: written in the same transaction as the rows, so it cannot be wrong.
CREATE TABLE IF NOT EXISTS import_progress (
    job_id        TEXT    PRIMARY KEY,
    original_name TEXT    NOT NULL,
    position      INTEGER NOT NULL DEFAULT 0,
    line          INTEGER NOT NULL DEFAULT 1,
    imported      INTEGER NOT NULL DEFAULT 0,
    rejected      INTEGER NOT NULL DEFAULT 0,
    is_done       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Up to when the administrator was told of failures; one row.
CREATE TABLE IF NOT EXISTS notifications (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    failures_until INTEGER NOT NULL        -- microseconds since 1970
) STRICT;

CREATE TABLE IF NOT EXISTS import_errors (
    job_id  TEXT    NOT NULL,
    line    INTEGER NOT NULL,
    problem TEXT    NOT NULL,
    text    TEXT    NOT NULL,
    PRIMARY KEY (job_id, line)
) STRICT, WITHOUT ROWID;
