-- What is held goes to where servers find it, as the bodies say now.
INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
SELECT j.queue, j.priority, s.run_at, j.id, j.kind
FROM (?) AS k STRAIGHT_JOIN portfire_scheduled AS s FORCE INDEX (PRIMARY) ON s.run_at = k.c1 AND s.id = k.c2
STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = s.id
