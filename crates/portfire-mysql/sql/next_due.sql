-- How long until the next job is due, and until the next slot of a schedule.
SELECT
    (SELECT GREATEST(s.run_at - ?, 0) FROM portfire_scheduled AS s ORDER BY s.run_at LIMIT 1),
    (SELECT GREATEST(s.next_at - ?, 0) FROM portfire_schedule AS s
        WHERE s.next_at IS NOT NULL ORDER BY s.next_at LIMIT 1)
