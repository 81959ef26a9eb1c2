-- What is counted as it happens, and failures by what they have in common.

-- What happened in a span of `width` seconds from `at` on. A span is kept in one width: minutes are folded
-- into hours, and hours into days. `waited` and `ran` are sums in microseconds.
CREATE TABLE portfire_tally (
    width INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    queue TEXT NOT NULL,
    created INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    retried INTEGER NOT NULL,
    crashed INTEGER NOT NULL,
    waited INTEGER NOT NULL,
    ran INTEGER NOT NULL,
    PRIMARY KEY (width, at, kind, queue)
) STRICT, WITHOUT ROWID;

-- Failures of one kind with one cause. Each of the two orders of their list has its index.
CREATE TABLE portfire_fault_group (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    sample TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    last_job BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX portfire_fault_group_latest ON portfire_fault_group (last_at, fingerprint);
CREATE INDEX portfire_fault_group_most ON portfire_fault_group (count, fingerprint);

-- The group that a failed job is in; the index is that of its list.
ALTER TABLE portfire_finished ADD COLUMN fingerprint TEXT;
CREATE INDEX portfire_finished_fault ON portfire_finished (fingerprint, finished_at, id) WHERE fingerprint IS NOT NULL;

-- Lists of scheduled and of retrying jobs do not read each other's rows.
CREATE INDEX portfire_scheduled_list ON portfire_scheduled (retrying, run_at, id);
