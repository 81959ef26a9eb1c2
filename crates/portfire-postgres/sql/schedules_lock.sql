-- Some schedules, held as they are until this transaction ends.
SELECT s.id, s.cron, s.zone, s.definition, s.revision, s.next_at, s.problem, s.last_slot,
    portfire_run_of(s.id, s.last_job), s.created_at, portfire_state_of(portfire_run_of(s.id, s.last_job))
FROM portfire_schedule AS s WHERE s.id = ANY ($1::text[]) ORDER BY s.id FOR UPDATE
