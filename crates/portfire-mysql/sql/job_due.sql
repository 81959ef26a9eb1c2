-- When jobs are due that were let go.
UPDATE portfire_job AS j FORCE INDEX (PRIMARY) SET j.run_at = ? WHERE j.id IN (?)
