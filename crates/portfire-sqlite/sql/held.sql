-- Whether the claim still holds the job, or ended it well: a handler that settles its own job may say more afterwards.
SELECT 1 FROM portfire_running WHERE id = ?1 AND token = ?2
UNION ALL SELECT 1 FROM portfire_finished WHERE id = ?1 AND token = ?2 AND state = 'succeeded'
