-- Rejected lines after a line, in the order of the file.
SELECT line, problem, text FROM import_errors WHERE job_id = $1 AND line > $2 ORDER BY line LIMIT $3
