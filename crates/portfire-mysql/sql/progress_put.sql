-- Only the latest counts.
REPLACE INTO portfire_progress (job, done, total, message) VALUES ?
