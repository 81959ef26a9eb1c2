-- A page of schedules by id.
SELECT s.id, s.cron, s.zone, s.definition, s.revision, s.next_at, s.problem, s.last_slot,
    portfire_run_of(s.id, s.last_job), s.created_at, portfire_state_of(portfire_run_of(s.id, s.last_job))
FROM portfire_schedule AS s WHERE s.id > $1 ORDER BY s.id LIMIT $2
