-- The rejected lines of imports that were forgotten.
DELETE FROM import_errors WHERE job_id < $1
  AND NOT EXISTS (SELECT 1 FROM import_progress AS p WHERE p.job_id = import_errors.job_id)
