-- A schedule that nobody has put before.
INSERT INTO portfire_schedule (cron, zone, definition, revision, next_at, problem, id, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
