-- By the whole key, from one queue: texts in a list of rows would be compared as the connection says.
DELETE r FROM (?) AS k STRAIGHT_JOIN portfire_ready AS r FORCE INDEX (PRIMARY)
ON r.priority = k.c1 AND r.run_at = k.c2 AND r.id = k.c3 WHERE r.queue = ?
