-- What has to be known of jobs to end their attempts, and the instant of that.
SELECT j.id, ?, j.kind, j.queue, j.priority, j.run_at, j.unique_name FROM portfire_job AS j WHERE j.id IN (?)
