-- The head of the schedule.
SELECT s.run_at, s.id, j.queue, j.priority, j.kind FROM portfire_scheduled AS s CROSS JOIN portfire_job AS j ON j.id = s.id
WHERE s.run_at <= ?1 ORDER BY s.run_at, s.id LIMIT ?2
