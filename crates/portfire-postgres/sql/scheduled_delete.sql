-- By the whole key. No row: it has moved meanwhile.
DELETE FROM portfire_scheduled WHERE run_at = $1 AND id = $2 RETURNING id
