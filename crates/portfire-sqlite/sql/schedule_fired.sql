-- How a schedule stands after a firing; without a new job the last one is kept.
UPDATE portfire_schedule SET next_at = ?2, problem = ?3, last_slot = ?4, last_job = coalesce(?5, last_job) WHERE id = ?1
