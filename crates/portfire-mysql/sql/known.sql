-- Tells repeats before their unique names are looked at: the names may be their own.
SELECT id FROM portfire_job WHERE id IN (?)
