-- By the whole key.
DELETE s FROM (?) AS k STRAIGHT_JOIN portfire_scheduled AS s FORCE INDEX (PRIMARY) ON s.run_at = k.c1 AND s.id = k.c2
