-- One look for all that a server might have to do, and no more than the head of each table. Running jobs are few, and
-- servers fewer; they are read in the order of their ids, as they are for a rescue. The last line holds nothing: it tells
-- proxies that this is for who is written to.
SELECT EXISTS (SELECT 1 FROM portfire_ready WHERE queue IN (?)),
    (
        SELECT 1 FROM portfire_running AS r FORCE INDEX (PRIMARY)
        WHERE (SELECT 1 FROM portfire_server AS s WHERE s.id = r.server AND s.lease_until > ?) IS NULL
        ORDER BY r.id LIMIT 1
    ) IS NOT NULL,
    (SELECT GREATEST(s.run_at - ?, 0) FROM portfire_scheduled AS s ORDER BY s.run_at LIMIT 1),
    (SELECT GREATEST(s.next_at - ?, 0) FROM portfire_schedule AS s
        WHERE s.next_at IS NOT NULL ORDER BY s.next_at LIMIT 1)
FROM DUAL FOR UPDATE
