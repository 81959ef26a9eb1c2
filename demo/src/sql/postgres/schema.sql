-- The application's own tables. They live beside Portfire's in one database, so that one transaction can
-- change users and enqueue jobs. Several processes may start at once: the lock lets one of them make what is
-- missing, and ends with the transaction.
SELECT pg_advisory_xact_lock(7391021);

CREATE TABLE IF NOT EXISTS users (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    display_name text   NOT NULL,
    email        text   NOT NULL,
    email_key    text   NOT NULL UNIQUE,  -- the address in lower case
    created_at   bigint NOT NULL,         -- microseconds since 1970
    deleted_at   bigint                   -- when it was marked as deleted; removed 30 days later
);

-- How far each import is: written in the same transaction as the rows, so it cannot be wrong.
CREATE TABLE IF NOT EXISTS import_progress (
    job_id        text COLLATE "C" PRIMARY KEY,
    original_name text    NOT NULL,
    position      bigint  NOT NULL DEFAULT 0,
    line          bigint  NOT NULL DEFAULT 1,
    imported      bigint  NOT NULL DEFAULT 0,
    rejected      bigint  NOT NULL DEFAULT 0,
    is_done       boolean NOT NULL DEFAULT false
);

-- Up to when the administrator was told of failures; one row.
CREATE TABLE IF NOT EXISTS notifications (
    id             integer PRIMARY KEY CHECK (id = 1),
    failures_until bigint NOT NULL        -- microseconds since 1970
);

CREATE TABLE IF NOT EXISTS import_errors (
    job_id  text COLLATE "C" NOT NULL,
    line    bigint NOT NULL,
    problem text   NOT NULL,
    text    text   NOT NULL,
    PRIMARY KEY (job_id, line)
);
