-- Part of deleting jobs with all that belongs to them.
DELETE x FROM (?) AS k STRAIGHT_JOIN portfire_progress AS x FORCE INDEX (PRIMARY) ON x.job = k.c1
