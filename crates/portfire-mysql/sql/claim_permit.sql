-- What a claim has to know, of four kinds in one statement: what it took before its answer was lost; whether the lease of
-- its server holds, because only then it may claim, and the instant of that; which queues are passed by; which running
-- jobs of this server somebody wants cancelled.
SELECT 1, x.id, NULL, NULL, NULL FROM portfire_running AS x FORCE INDEX (claim) WHERE x.token = ?
UNION ALL SELECT 2, s.id, NULL, NULL, ? FROM portfire_server AS s WHERE s.id = ? AND s.lease_until > ?
UNION ALL SELECT 3, NULL, NULL, q.name, NULL FROM portfire_paused_queue AS q WHERE q.name IN (?)
UNION ALL SELECT 4, x.id, x.token, NULL, NULL FROM portfire_running AS x FORCE INDEX (cancel)
WHERE x.cancel_requested = TRUE AND x.server = ?
