-- New jobs with a parent that has ended so that they will never run.
INSERT INTO portfire_finished (id, state, finished_at, prune_at)
SELECT j.id, 'cancelled', j.created_at, j.created_at + j.cancelled_keep FROM portfire_job AS j
WHERE j.id IN (?) ORDER BY j.id
