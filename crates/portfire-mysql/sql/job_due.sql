-- When jobs are due that were let go.
UPDATE (?) AS k STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = k.c1 SET j.run_at = ?
