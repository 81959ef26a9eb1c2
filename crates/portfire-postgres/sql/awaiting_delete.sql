-- The job stops waiting. No row: it has moved meanwhile.
DELETE FROM portfire_awaiting WHERE id = $1 RETURNING id
