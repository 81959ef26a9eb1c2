-- At the end of its priority, because due times only grow.
INSERT INTO portfire_ready (queue, priority, run_at, id, kind) VALUES (?1, ?2, ?3, ?4, ?5)
