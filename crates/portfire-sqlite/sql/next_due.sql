-- When the next job is due.
SELECT min(run_at) FROM portfire_scheduled
