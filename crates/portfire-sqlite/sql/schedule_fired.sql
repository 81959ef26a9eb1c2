-- How a schedule stands after a firing.
UPDATE portfire_schedule SET next_at = ?2, problem = ?3, last_slot = ?4, last_job = ?5 WHERE id = ?1
