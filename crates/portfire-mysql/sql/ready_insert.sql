-- At the end of their priorities, because due times only grow.
INSERT INTO portfire_ready (queue, priority, run_at, id, kind) VALUES ?
