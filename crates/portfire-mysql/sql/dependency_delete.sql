-- Part of deleting jobs with all that belongs to them.
DELETE x FROM portfire_dependency AS x FORCE INDEX (PRIMARY) WHERE x.child IN (?)
