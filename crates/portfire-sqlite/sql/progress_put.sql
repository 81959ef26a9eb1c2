-- Only the latest counts.
INSERT INTO portfire_progress (job, done, total, message) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (job) DO UPDATE SET done = excluded.done, total = excluded.total, message = excluded.message
