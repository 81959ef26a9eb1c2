-- New jobs whose time is ahead.
INSERT INTO portfire_scheduled (run_at, id, retrying)
SELECT j.run_at, j.id, FALSE FROM portfire_job AS j
WHERE j.id IN (?) AND j.run_at > j.created_at ORDER BY j.id
