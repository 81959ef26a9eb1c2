-- Part of deleting a job with all that belongs to it.
DELETE FROM portfire_progress WHERE job = ?1
