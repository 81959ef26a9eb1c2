-- The names of jobs that have ended.
DELETE FROM portfire_unique_name WHERE job = ANY ($1::uuid[])
