-- Schedules whose next slot has come, by the index of those that have one.
SELECT s.id, s.cron, s.zone, s.definition, s.revision, s.next_at, s.problem, s.last_slot, s.last_job, s.created_at
FROM portfire_schedule AS s WHERE s.next_at <= ?1 ORDER BY s.next_at, s.id LIMIT ?2
