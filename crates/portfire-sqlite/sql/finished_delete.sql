-- An operator runs the job again.
DELETE FROM portfire_finished WHERE id = ?1
