-- A job that is nowhere enters its queue, as its body says now.
INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
SELECT j.queue, j.priority, j.run_at, j.id, j.kind FROM portfire_job AS j WHERE j.id = ?
