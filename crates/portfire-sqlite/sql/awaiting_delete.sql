-- The job stops waiting.
DELETE FROM portfire_awaiting WHERE id = ?1
