-- Children that still wait, with their bodies, held until this transaction ends.
SELECT a.id, a.waiting_for, j.kind, j.queue, j.priority, j.run_at, j.created_at, j.cancelled_keep, j.unique_name
FROM (?) AS k STRAIGHT_JOIN portfire_awaiting AS a FORCE INDEX (PRIMARY) ON a.id = k.c1
STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = a.id FOR UPDATE
