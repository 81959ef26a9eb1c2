-- The job runs again; what it produced before is forgotten.
DELETE FROM portfire_result WHERE job = ?1
