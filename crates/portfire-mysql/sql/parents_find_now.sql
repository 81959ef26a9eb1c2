-- Which parents there are, whatever this transaction has seen before, and what finds them.
SELECT j.id, j.queue, j.priority, j.run_at, NULL FROM (?) AS k
STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = k.c1 LOCK IN SHARE MODE
