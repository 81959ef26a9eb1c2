-- Attempts that are spoken of, held in the order of their ids until this transaction ends. By the primary key
-- however small the table: a scan would wait for rows that others hold.
SELECT x.id, x.token, x.server, x.started_at, x.cancel_requested
FROM (?) AS k STRAIGHT_JOIN portfire_running AS x FORCE INDEX (PRIMARY) ON x.id = k.c1 FOR UPDATE
