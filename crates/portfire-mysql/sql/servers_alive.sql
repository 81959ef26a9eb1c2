-- Whose jobs may not be rescued.
SELECT id FROM portfire_server WHERE lease_until > ?
