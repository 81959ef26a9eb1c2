-- Attempts whose server is gone, past those that others hold: a handler that still runs may be ending its own job.
SELECT x.id, x.token, x.server, x.started_at, x.cancel_requested
FROM (?) AS k STRAIGHT_JOIN portfire_running AS x FORCE INDEX (PRIMARY) ON x.id = k.c1 FOR UPDATE SKIP LOCKED
