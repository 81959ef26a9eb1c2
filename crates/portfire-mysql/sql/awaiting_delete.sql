-- Jobs that stop waiting.
DELETE a FROM portfire_awaiting AS a FORCE INDEX (PRIMARY) WHERE a.id IN (?)
