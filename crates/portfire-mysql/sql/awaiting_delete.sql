-- Jobs that stop waiting.
DELETE a FROM (?) AS k STRAIGHT_JOIN portfire_awaiting AS a FORCE INDEX (PRIMARY) ON a.id = k.c1
