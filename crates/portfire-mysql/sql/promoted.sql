-- Where jobs come to stand that are promoted: a claim may be about to begin behind them.
SELECT j.queue, j.priority, k.c1 FROM (?) AS k STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = k.c2
