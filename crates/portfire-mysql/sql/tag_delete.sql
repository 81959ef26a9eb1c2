-- Part of deleting jobs with all that belongs to them.
DELETE x FROM portfire_tag AS x FORCE INDEX (job) WHERE x.job IN (?)
