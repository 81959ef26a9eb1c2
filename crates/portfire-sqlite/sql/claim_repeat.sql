-- What this token took before its answer was lost. Running jobs are few: no index.
SELECT j.queue, j.priority, j.run_at, r.id, j.kind, j.args, j.policy, j.tags, j.created_at, r.attempt - 1, j.crashes, j.has_parents, j.schedule, j.slot_at
FROM portfire_running AS r CROSS JOIN portfire_job AS j ON j.id = r.id
WHERE r.token = ?1
ORDER BY j.queue, j.priority, j.run_at, r.id
