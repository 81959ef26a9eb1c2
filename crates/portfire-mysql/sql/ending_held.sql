-- As `ending`, as it is now, whatever this transaction has seen before.
SELECT j.id, ?, j.kind, j.queue, j.priority, j.run_at, j.unique_name
FROM portfire_job AS j FORCE INDEX (PRIMARY) WHERE j.id IN (?) LOCK IN SHARE MODE
