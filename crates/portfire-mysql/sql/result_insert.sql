-- Only for jobs that produced something.
REPLACE INTO portfire_result (job, result) VALUES ?
