-- What is counted as it happens, and failures by what they have in common.

-- What happened in a span of `width` seconds from `at` on. A span is kept in one width: minutes are folded
-- into hours, and hours into days. `waited` and `ran` are sums in microseconds. `shard` is the number of the
-- connection that counts, so that no transaction, however long, keeps another waiting for a row of the
-- present minute; what is over is merged into shard 0.
CREATE TABLE IF NOT EXISTS portfire_tally (
    width INT NOT NULL,
    at BIGINT NOT NULL,
    shard BIGINT UNSIGNED NOT NULL,
    kind VARCHAR(128) NOT NULL,
    queue VARCHAR(128) NOT NULL,
    created BIGINT NOT NULL DEFAULT 0,
    succeeded BIGINT NOT NULL DEFAULT 0,
    failed BIGINT NOT NULL DEFAULT 0,
    cancelled BIGINT NOT NULL DEFAULT 0,
    retried BIGINT NOT NULL DEFAULT 0,
    crashed BIGINT NOT NULL DEFAULT 0,
    waited BIGINT NOT NULL DEFAULT 0,
    ran BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (width, at, shard, kind, queue),
    KEY shards (shard, at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};

-- Failures of one kind with one cause. Each of the two orders of their list has its index.
CREATE TABLE IF NOT EXISTS portfire_fault_group (
    fingerprint VARCHAR(16) NOT NULL PRIMARY KEY,
    kind VARCHAR(128) NOT NULL,
    sample TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    `count` BIGINT NOT NULL,
    last_job BINARY(16) NOT NULL,
    KEY latest (last_at, fingerprint),
    KEY most (`count`, fingerprint)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {text};
