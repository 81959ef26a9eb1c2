-- New jobs that are due. The time was written once, with the body.
INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
SELECT j.queue, j.priority, j.run_at, j.id, j.kind FROM portfire_job AS j
WHERE j.id IN (?) AND j.run_at <= j.created_at ORDER BY j.id
