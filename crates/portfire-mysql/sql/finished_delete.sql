-- Jobs that are run again, or deleted. No row: it has moved meanwhile.
DELETE f FROM portfire_finished AS f FORCE INDEX (PRIMARY) WHERE f.id IN (?)
