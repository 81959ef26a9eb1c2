-- Part of deleting jobs with all that belongs to them.
DELETE x FROM (?) AS k STRAIGHT_JOIN portfire_tag AS x FORCE INDEX (job) ON x.job = k.c1
