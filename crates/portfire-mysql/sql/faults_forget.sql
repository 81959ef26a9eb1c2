-- Groups that were found to be old, unless a job has joined meanwhile.
DELETE g FROM portfire_fault_group AS g FORCE INDEX (PRIMARY) WHERE g.fingerprint IN (?) AND g.last_at < ?
