-- Guarded by the place the batch began at: of two attempts that both believe the job is theirs, one writes.
-- `position` is quoted because it is a function's name, too.
UPDATE import_progress
SET `position` = ?, line = ?, imported = imported + ?, rejected = rejected + ?, is_done = ?
WHERE job_id = ? AND `position` = ? AND line = ? AND NOT is_done
