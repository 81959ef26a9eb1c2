-- One look for all that a server might have to do, and no more than the head of each table. Running jobs are few: no
-- index.
SELECT
    EXISTS (SELECT 1 FROM portfire_ready WHERE queue IN (SELECT value FROM json_each(?2))),
    EXISTS (
        SELECT 1 FROM portfire_running AS r
        WHERE NOT EXISTS (SELECT 1 FROM portfire_server AS s WHERE s.id = r.server AND s.lease_until > ?1)
    ),
    (SELECT min(run_at) FROM portfire_scheduled),
    (SELECT min(next_at) FROM portfire_schedule WHERE next_at IS NOT NULL)
