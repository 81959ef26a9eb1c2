-- Pauses or resumes. The new revision refuses what was planned before.
UPDATE portfire_schedule SET next_at = ?, problem = ?, revision = revision + 1 WHERE id = ?
