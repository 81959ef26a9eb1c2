-- One look for all that a server might have to do, and no more than the head of each table; that of the queues is
-- found in their order, so that what was claimed there is passed by once and not each time.
SELECT
    (SELECT true FROM portfire_ready ORDER BY queue, priority, run_at, id LIMIT 1),
    EXISTS (
        SELECT 1 FROM portfire_running AS r
        WHERE NOT EXISTS (SELECT 1 FROM portfire_server AS s WHERE s.id = r.server AND s.lease_until > portfire_now($1))
    ),
    (SELECT greatest(run_at - portfire_now($1), 0) FROM portfire_scheduled ORDER BY run_at LIMIT 1),
    (SELECT greatest(next_at - portfire_now($1), 0) FROM portfire_schedule
        WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1)
