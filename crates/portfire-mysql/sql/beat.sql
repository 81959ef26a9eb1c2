-- Renews a lease; no row if there is no such server yet. One statement, which commits itself; it tells by its number
-- (`LAST_INSERT_ID`, which comes with the answer) whether there is something to be heard: an order, or a running job that
-- somebody wants cancelled. Such jobs are looked for past what others hold, so that a heartbeat waits for nobody.
UPDATE portfire_server AS s SET s.info = ?, s.lease_until = ? + ? + 0 * LAST_INSERT_ID(
    s.ordered <> 'run' OR (
        SELECT 1 FROM portfire_running AS x FORCE INDEX (cancel)
        WHERE x.cancel_requested = TRUE AND x.server = s.id LIMIT 1 FOR UPDATE SKIP LOCKED
    ) IS NOT NULL
)
WHERE s.id = ?
