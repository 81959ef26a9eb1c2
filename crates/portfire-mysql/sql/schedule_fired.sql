-- How a schedule stands after a firing; without a new job the last one is kept.
UPDATE portfire_schedule SET next_at = ?, problem = ?, last_slot = ?, last_job = COALESCE(?, last_job) WHERE id = ?
