-- Tells a repeat before its unique name is looked at: the name may be its own.
SELECT 1 FROM portfire_job WHERE id = ?1
