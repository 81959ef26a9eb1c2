-- Jobs that are run again, or deleted. No row: it has moved meanwhile.
DELETE f FROM (?) AS k STRAIGHT_JOIN portfire_finished AS f FORCE INDEX (PRIMARY) ON f.id = k.c1
