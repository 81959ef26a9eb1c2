-- Groups that were found to be old, unless a job has joined meanwhile.
DELETE g FROM (?) AS k STRAIGHT_JOIN portfire_fault_group AS g FORCE INDEX (PRIMARY) ON g.fingerprint = k.c1
WHERE g.last_at < ?
