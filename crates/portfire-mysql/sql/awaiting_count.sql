-- How many parents are left.
UPDATE (?) AS k STRAIGHT_JOIN portfire_awaiting AS a FORCE INDEX (PRIMARY) ON a.id = k.c1 SET a.waiting_for = ?
