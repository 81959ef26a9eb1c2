-- What is counted as it happens, and failures by what they have in common. The functions of the earlier steps
-- count into these tables.

-- What happened in a span of `width` seconds from `at` on. A span is kept in one width: minutes are folded
-- into hours, and hours into days. `waited` and `ran` are sums in microseconds. `shard` is the session that counts, so
-- that no transaction, however long, keeps another waiting for a row of the present minute, and the second in which it
-- does, so that few versions of a row pile up beside an old transaction; what is over is merged into shard 0.
CREATE TABLE portfire_tally (
    width integer NOT NULL,
    at bigint NOT NULL,
    shard integer NOT NULL,
    kind text COLLATE "C" NOT NULL,
    queue text COLLATE "C" NOT NULL,
    created bigint NOT NULL DEFAULT 0,
    succeeded bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0,
    retried bigint NOT NULL DEFAULT 0,
    crashed bigint NOT NULL DEFAULT 0,
    waited bigint NOT NULL DEFAULT 0,
    ran bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (width, at, shard, kind, queue)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX portfire_tally_shards ON portfire_tally (at) WHERE shard <> 0;

-- The minute in which an instant is.
CREATE FUNCTION portfire_minute(instant bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT instant - instant % 60000000
$$;

-- Where this session counts what happens at an instant. To count costs more with each version of a row that an old
-- transaction may see: 2 ms after 120,000 of them, 0.05 ms after 4,000, which is what one session does in a second.
CREATE FUNCTION portfire_shard(instant bigint) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT (pg_backend_pid() & 16777215) * 64 + (instant % 60000000 / 1000000)::integer
$$;

-- Failures of one kind with one cause. Each of the two orders of their list has its index.
CREATE TABLE portfire_fault_group (
    fingerprint text COLLATE "C" NOT NULL PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    sample text NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    count bigint NOT NULL,
    last_job uuid NOT NULL
);
CREATE INDEX portfire_fault_group_latest ON portfire_fault_group (last_at, fingerprint);
CREATE INDEX portfire_fault_group_most ON portfire_fault_group (count, fingerprint);

-- The group that a failed job is in; the index is that of its list.
ALTER TABLE portfire_finished ADD COLUMN fingerprint text COLLATE "C";
CREATE INDEX portfire_finished_fault ON portfire_finished (fingerprint, finished_at, id) WHERE fingerprint IS NOT NULL;

-- Lists of scheduled and of retrying jobs do not read each other's rows.
CREATE INDEX portfire_scheduled_list ON portfire_scheduled (retrying, run_at, id);
