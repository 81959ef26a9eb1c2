-- As `ending`, as it is now, whatever this transaction has seen before.
SELECT j.id, ?, j.kind, j.queue, j.priority, j.run_at, j.unique_name
FROM (?) AS k STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = k.c1 LOCK IN SHARE MODE
