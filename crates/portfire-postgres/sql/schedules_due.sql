-- Schedules whose next slot has come, by the index of those that have one; and, in the last column, the
-- instant by which that was judged, which comes even if none has.
SELECT s.id, s.cron, s.zone, s.definition, s.revision, s.next_at, s.problem, s.last_slot,
    r.run, s.created_at, portfire_state_of(r.run), glance.now
FROM (SELECT portfire_now($1) AS now) AS glance
LEFT JOIN LATERAL (
    SELECT * FROM portfire_schedule AS s WHERE s.next_at <= glance.now ORDER BY s.next_at, s.id LIMIT $2
) AS s ON true
LEFT JOIN LATERAL (SELECT portfire_run_of(s.id, s.last_job) AS run OFFSET 0) AS r ON s.id IS NOT NULL
ORDER BY s.next_at, s.id
