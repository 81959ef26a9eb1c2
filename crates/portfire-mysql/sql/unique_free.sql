-- The names of jobs that have ended, by the index of their jobs: few have one.
DELETE x FROM (?) AS k STRAIGHT_JOIN portfire_unique_name AS x FORCE INDEX (job) ON x.job = k.c1
