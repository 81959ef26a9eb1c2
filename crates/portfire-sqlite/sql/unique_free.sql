-- Guarded by the job: a name taken again by another stays.
DELETE FROM portfire_unique_name WHERE kind = ?1 AND name = ?2 AND job = ?3
