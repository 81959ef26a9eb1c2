-- Running jobs whose server's lease is over or whose server left. Running jobs are few, and servers fewer.
SELECT r.id, r.token, r.server, r.attempt, j.crashes, j.policy, j.kind
FROM (
    SELECT x.id, x.token, x.server, x.attempt FROM portfire_running AS x FORCE INDEX (PRIMARY)
    WHERE (SELECT 1 FROM portfire_server AS s WHERE s.id = x.server AND s.lease_until > ?) IS NULL
    ORDER BY x.id LIMIT ?
) AS r
STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = r.id ORDER BY r.id
