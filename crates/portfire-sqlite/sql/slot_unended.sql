-- The latest job of a schedule that has not ended. A history is short, and most often the first row says it.
SELECT s.job FROM portfire_slot AS s CROSS JOIN portfire_job AS j ON j.id = s.job
WHERE s.schedule = ?1 AND NOT EXISTS (SELECT 1 FROM portfire_finished AS f WHERE f.id = s.job)
ORDER BY s.at DESC LIMIT 1
