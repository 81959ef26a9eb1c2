-- Pauses or resumes. The new revision refuses what was planned before.
UPDATE portfire_schedule SET next_at = $2, problem = $3, revision = revision + 1 WHERE id = $1
