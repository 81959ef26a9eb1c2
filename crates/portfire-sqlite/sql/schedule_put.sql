-- Stores or replaces; what it did before is kept.
INSERT INTO portfire_schedule (id, cron, zone, definition, revision, next_at, problem, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (id) DO UPDATE SET cron = excluded.cron, zone = excluded.zone, definition = excluded.definition,
  revision = excluded.revision, next_at = excluded.next_at, problem = excluded.problem
