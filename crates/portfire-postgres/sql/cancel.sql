-- Ends a job that does not run. It is out of its old place already.
WITH names AS (DELETE FROM portfire_unique_name WHERE job = $2)
INSERT INTO portfire_finished (id, state, finished_at, prune_at)
SELECT j.id, 'cancelled', portfire_now($1), portfire_now($1) + j.cancelled_keep FROM portfire_job AS j WHERE j.id = $2
