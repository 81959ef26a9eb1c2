-- Running jobs whose server's lease is over or whose server left. Running jobs are few: no index.
SELECT r.id, r.token, r.server, r.attempt, j.crashes, j.policy, j.kind FROM portfire_running AS r
CROSS JOIN portfire_job AS j ON j.id = r.id
WHERE NOT EXISTS (SELECT 1 FROM portfire_server AS s WHERE s.id = r.server AND s.lease_until > ?1)
ORDER BY r.id LIMIT ?2
