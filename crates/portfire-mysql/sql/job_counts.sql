-- The counts at the end of a job that did not simply succeed.
UPDATE portfire_job SET attempts = ?, crashes = ? WHERE id = ?
