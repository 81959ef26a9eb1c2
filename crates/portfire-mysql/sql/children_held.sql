-- Children that still wait, with their bodies, held until this transaction ends.
SELECT a.id, a.waiting_for, j.kind, j.queue, j.priority, j.run_at, j.created_at, j.cancelled_keep, j.unique_name
FROM portfire_awaiting AS a FORCE INDEX (PRIMARY) STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = a.id
WHERE a.id IN (?) FOR UPDATE
