-- Some schedules; the columns are those of every query of schedules. The run of each is looked for once, and its
-- state then (`OFFSET 0`).
SELECT s.id, s.cron, s.zone, s.definition, s.revision, s.next_at, s.problem, s.last_slot,
    r.run, s.created_at, portfire_state_of(r.run)
FROM portfire_schedule AS s
CROSS JOIN LATERAL (SELECT portfire_run_of(s.id, s.last_job) AS run OFFSET 0) AS r
WHERE s.id = ANY ($1::text[])
