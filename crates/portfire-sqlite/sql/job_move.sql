-- The job waits elsewhere now.
UPDATE portfire_job SET run_at = ?2 WHERE id = ?1
