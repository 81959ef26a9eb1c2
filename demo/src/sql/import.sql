-- How far an import is. The name of its table before `position` tells MySQL that no function is meant.
SELECT original_name, import_progress.position, line, imported, rejected, is_done
FROM import_progress WHERE job_id = $1
