-- The latest import that has not ended.
SELECT job_id FROM import_progress WHERE NOT is_done ORDER BY job_id DESC LIMIT 1
