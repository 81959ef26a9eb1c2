-- Running jobs whose server's lease is over or whose server left.
SELECT r.id, r.token, r.server, r.attempt, j.crashes, j.policy, j.kind
FROM (
    SELECT * FROM portfire_running AS r
    WHERE NOT EXISTS (SELECT 1 FROM portfire_server AS s WHERE s.id = r.server AND s.lease_until > portfire_now($1))
    ORDER BY r.id LIMIT $2
) AS r
JOIN portfire_job AS j ON j.id = r.id ORDER BY r.id
