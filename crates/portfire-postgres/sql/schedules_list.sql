-- A page of schedules by id. The run of each is looked for once, and its state then (`OFFSET 0`).
SELECT s.id, s.cron, s.zone, s.definition, s.revision, s.next_at, s.problem, s.last_slot,
    r.run, s.created_at, portfire_state_of(r.run)
FROM (SELECT * FROM portfire_schedule AS p WHERE p.id > $1 ORDER BY p.id LIMIT $2) AS s
CROSS JOIN LATERAL (SELECT portfire_run_of(s.id, s.last_job) AS run OFFSET 0) AS r
ORDER BY s.id
