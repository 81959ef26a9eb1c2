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

CREATE TABLE portfire_audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    sort TEXT NOT NULL,
    target TEXT NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    via TEXT NOT NULL,
    reason TEXT,
    was TEXT,
    became TEXT,
    outcome TEXT NOT NULL
) STRICT;

CREATE INDEX portfire_audit_prune ON portfire_audit (at);

CREATE INDEX portfire_audit_target ON portfire_audit (sort, target, id);

CREATE TABLE portfire_awaiting (
    id BLOB NOT NULL PRIMARY KEY,
    waiting_for INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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

CREATE TABLE portfire_finished (
    id BLOB NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    finished_at INTEGER NOT NULL,
    started_at INTEGER,
    token BLOB,
    server BLOB,
    prune_at INTEGER
, fingerprint TEXT) STRICT, WITHOUT ROWID;

CREATE INDEX portfire_finished_fault ON portfire_finished (fingerprint, finished_at, id) WHERE fingerprint IS NOT NULL;

CREATE INDEX portfire_finished_list ON portfire_finished (state, finished_at, id);

CREATE INDEX portfire_finished_prune ON portfire_finished (prune_at) WHERE prune_at IS NOT NULL;

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
, schedule TEXT, slot_at INTEGER) STRICT, WITHOUT ROWID;

CREATE TABLE portfire_log (
    job BLOB NOT NULL,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE portfire_meta (version INTEGER NOT NULL) STRICT;

CREATE TABLE portfire_paused_queue (
    name TEXT NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL,
    actor TEXT,
    reason TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE portfire_progress (
    job BLOB NOT NULL PRIMARY KEY,
    done INTEGER NOT NULL,
    total INTEGER,
    message TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE portfire_ready (
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    run_at INTEGER NOT NULL,
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (queue, priority, run_at, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE portfire_result (
    job BLOB NOT NULL PRIMARY KEY,
    result TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE portfire_running (
    id BLOB NOT NULL PRIMARY KEY,
    token BLOB NOT NULL,
    server BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    cancel_requested INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX portfire_running_cancel ON portfire_running (server) WHERE cancel_requested = 1;

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

CREATE TABLE portfire_scheduled (
    run_at INTEGER NOT NULL,
    id BLOB NOT NULL,
    retrying INTEGER NOT NULL,
    PRIMARY KEY (run_at, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX portfire_scheduled_list ON portfire_scheduled (retrying, run_at, id);

CREATE TABLE portfire_server (
    id BLOB NOT NULL PRIMARY KEY,
    started_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    info TEXT NOT NULL,
    closed_token BLOB
, ordered TEXT NOT NULL DEFAULT 'run') STRICT, WITHOUT ROWID;

CREATE TABLE portfire_slot (
    schedule TEXT NOT NULL,
    at INTEGER NOT NULL,
    fired_at INTEGER NOT NULL,
    fate TEXT NOT NULL,
    job BLOB,
    PRIMARY KEY (schedule, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE portfire_tag (
    tag TEXT NOT NULL,
    job BLOB NOT NULL,
    PRIMARY KEY (tag, job)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE portfire_unique_name (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    job BLOB NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
