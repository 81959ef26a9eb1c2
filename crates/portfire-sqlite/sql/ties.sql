-- Whom the end of a job concerns besides itself: the holder of a unique name, or whoever waits for it. No row for most jobs.
SELECT kind, unique_name FROM portfire_job AS j WHERE id = ?1 AND (unique_name IS NOT NULL
  OR EXISTS (SELECT 1 FROM portfire_dependency AS d WHERE d.parent = j.id AND d.state IS NULL))
