-- Guarded by the place the batch began at: of two attempts that both believe the job is theirs, one writes.
UPDATE import_progress
SET position = $1, line = $2, imported = imported + $3, rejected = rejected + $4, is_done = $5
WHERE job_id = $6 AND position = $7 AND line = $8 AND NOT is_done
