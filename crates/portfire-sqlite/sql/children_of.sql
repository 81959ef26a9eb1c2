-- Who still waits for this job, and on which end of it.
SELECT child, position, on_end FROM portfire_dependency WHERE parent = ?1 AND state IS NULL ORDER BY child, position
