-- Part of deleting jobs with all that belongs to them.
DELETE j FROM portfire_job AS j FORCE INDEX (PRIMARY) WHERE j.id IN (?)
