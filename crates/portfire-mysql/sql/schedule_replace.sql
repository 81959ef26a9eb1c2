-- A schedule that is held; what it did before is kept.
UPDATE portfire_schedule SET cron = ?, zone = ?, definition = ?, revision = ?, next_at = ?, problem = ? WHERE id = ?
