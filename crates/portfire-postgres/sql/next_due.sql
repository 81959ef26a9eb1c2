-- How long until the next job is due, and until the next slot of a schedule.
SELECT
    (SELECT greatest(run_at - portfire_now($1), 0) FROM portfire_scheduled ORDER BY run_at LIMIT 1),
    (SELECT greatest(next_at - portfire_now($1), 0) FROM portfire_schedule
        WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1)
