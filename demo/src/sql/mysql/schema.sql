-- The application's own tables. They live beside Portfire's in one database, so that one transaction can
-- change users and enqueue jobs. Several processes may start at once: each table is made or found whole.
-- Text is compared byte by byte, as on the other databases.

CREATE TABLE IF NOT EXISTS users (
    id           bigint       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    display_name varchar(200) NOT NULL,
    email        varchar(254) NOT NULL,
    email_key    varchar(512) NOT NULL UNIQUE,  -- the address in lower case, which may be longer
    created_at   bigint       NOT NULL,         -- microseconds since 1970
    deleted_at   bigint                         -- when it was marked as deleted; removed 30 days later
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- How far each import is: written in the same transaction as the rows, so it cannot be wrong.
CREATE TABLE IF NOT EXISTS import_progress (
    job_id        varchar(36) NOT NULL PRIMARY KEY,
    original_name text        NOT NULL,
    `position`    bigint      NOT NULL DEFAULT 0,
    line          bigint      NOT NULL DEFAULT 1,
    imported      bigint      NOT NULL DEFAULT 0,
    rejected      bigint      NOT NULL DEFAULT 0,
    is_done       boolean     NOT NULL DEFAULT false
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Up to when the administrator was told of failures; one row.
CREATE TABLE IF NOT EXISTS notifications (
    id             integer NOT NULL PRIMARY KEY CHECK (id = 1),
    failures_until bigint  NOT NULL             -- microseconds since 1970
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS import_errors (
    job_id  varchar(36) NOT NULL,
    line    bigint      NOT NULL,
    problem varchar(40) NOT NULL,
    text    text        NOT NULL,
    PRIMARY KEY (job_id, line)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
