-- How many parents are left.
UPDATE portfire_awaiting AS a FORCE INDEX (PRIMARY) SET a.waiting_for = ? WHERE a.id IN (?)
