-- Part of deleting jobs with all that belongs to them.
DELETE x FROM portfire_log AS x FORCE INDEX (PRIMARY) WHERE x.job IN (?)
