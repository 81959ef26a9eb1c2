-- The counts at the end of a job that did not simply succeed.
UPDATE portfire_job SET attempts = ?2, crashes = ?3 WHERE id = ?1
