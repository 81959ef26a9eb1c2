-- Part of deleting jobs with all that belongs to them.
DELETE j FROM (?) AS k STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = k.c1
