-- Steering: queues that are paused, what servers are told, and what persons did.

-- Queues from which nothing is claimed. A row goes when its queue is resumed. Who and why are null unless it
-- was a person.
CREATE TABLE portfire_paused_queue (
    name TEXT NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL,
    actor TEXT,
    reason TEXT
) STRICT, WITHOUT ROWID;

-- What the server is to do; it hears of it at its next heartbeat.
ALTER TABLE portfire_server ADD COLUMN ordered TEXT NOT NULL DEFAULT 'run';

-- One row for each target that a person changed, or was refused. `sort` says what the target is. Never changed,
-- and without ties to anything: it outlives what it speaks of.
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
CREATE INDEX portfire_audit_target ON portfire_audit (sort, target, id);
CREATE INDEX portfire_audit_prune ON portfire_audit (at);
