-- The unique name the job holds, if it has one.
SELECT kind, unique_name FROM portfire_job WHERE id = ?1
