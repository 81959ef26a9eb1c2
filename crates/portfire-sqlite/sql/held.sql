-- Whether the claim still holds the job.
SELECT 1 FROM portfire_running WHERE id = ?1 AND token = ?2
