-- An operator runs the job again. No row: it has moved meanwhile.
DELETE FROM portfire_finished WHERE id = $1 RETURNING id
