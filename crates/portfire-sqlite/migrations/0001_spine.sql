-- The tables of a job's life, by temperature: the body is written once; `ready` and `running` are tiny
-- and turn over with every job; `finished` is append-mostly. A job is in exactly one of ready,
-- scheduled, awaiting, running and finished, and that is its state. Times are microseconds UTC.

-- The body: what was asked, and the counts that outlive an attempt.
CREATE TABLE portfire_job (
    id BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    run_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    args TEXT NOT NULL,
    policy TEXT,
    unique_name TEXT,
    tags TEXT,
    has_parents INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    last_token BLOB,
    last_state TEXT
) STRICT, WITHOUT ROWID;

-- Enqueued jobs, clustered in claim order: a claim reads from the head and needs no other index.
CREATE TABLE portfire_ready (
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    run_at INTEGER NOT NULL,
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (queue, priority, run_at, id)
) STRICT, WITHOUT ROWID;

-- Jobs that wait for a time. `retrying` is 1 after a failed attempt.
CREATE TABLE portfire_scheduled (
    run_at INTEGER NOT NULL,
    id BLOB NOT NULL,
    retrying INTEGER NOT NULL,
    PRIMARY KEY (run_at, id)
) STRICT, WITHOUT ROWID;

-- Jobs that wait for others, and how many.
CREATE TABLE portfire_awaiting (
    id BLOB NOT NULL PRIMARY KEY,
    waiting_for INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Jobs that a server holds. Deleting from here, guarded by the token, is the fence of a settlement.
CREATE TABLE portfire_running (
    id BLOB NOT NULL PRIMARY KEY,
    token BLOB NOT NULL,
    server BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    cancel_requested INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX portfire_running_cancel ON portfire_running (server) WHERE cancel_requested = 1;

-- Jobs that ended. `prune_at` is null for those kept until somebody deletes them.
CREATE TABLE portfire_finished (
    id BLOB NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    finished_at INTEGER NOT NULL,
    started_at INTEGER,
    token BLOB,
    server BLOB,
    prune_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX portfire_finished_list ON portfire_finished (state, finished_at, id);
CREATE INDEX portfire_finished_prune ON portfire_finished (prune_at) WHERE prune_at IS NOT NULL;

-- Attempts that did not succeed, in the order in which they were settled.
CREATE TABLE portfire_attempt (
    job BLOB NOT NULL,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    server BLOB NOT NULL,
    outcome TEXT NOT NULL,
    fault TEXT,
    PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE portfire_result (
    job BLOB NOT NULL PRIMARY KEY,
    result TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Unique names of jobs that have not ended.
CREATE TABLE portfire_unique_name (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    job BLOB NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Who waits for whom; once decided, a copy of what the parent came to, so that it outlives the parent.
CREATE TABLE portfire_dependency (
    child BLOB NOT NULL,
    position INTEGER NOT NULL,
    parent BLOB NOT NULL,
    on_end TEXT NOT NULL,
    state TEXT,
    result TEXT,
    PRIMARY KEY (child, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX portfire_dependency_parent ON portfire_dependency (parent, child);

CREATE TABLE portfire_tag (
    tag TEXT NOT NULL,
    job BLOB NOT NULL,
    PRIMARY KEY (tag, job)
) STRICT, WITHOUT ROWID;

CREATE TABLE portfire_progress (
    job BLOB NOT NULL PRIMARY KEY,
    done INTEGER NOT NULL,
    total INTEGER,
    message TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE portfire_log (
    job BLOB NOT NULL,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

-- Claims with the closed token, and with those before it, take nothing more.
CREATE TABLE portfire_server (
    id BLOB NOT NULL PRIMARY KEY,
    started_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    info TEXT NOT NULL,
    closed_token BLOB
) STRICT, WITHOUT ROWID;
