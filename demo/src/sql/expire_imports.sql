-- Forgets the progress of imports that ended long ago: the id of a job begins with its time, so ids below $1
-- are older.
DELETE FROM import_progress WHERE job_id < $1 AND is_done
