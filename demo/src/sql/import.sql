-- How far an import is.
SELECT original_name, position, line, imported, rejected, is_done FROM import_progress WHERE job_id = $1
