-- Stores or replaces; what it did before is kept. No row: it is no longer as it was seen.
INSERT INTO portfire_schedule AS s (id, cron, zone, definition, revision, next_at, problem, created_at)
VALUES ($2, $3, $4, $5, $6, $7, $8, portfire_now($1))
ON CONFLICT (id) DO UPDATE SET cron = excluded.cron, zone = excluded.zone, definition = excluded.definition,
    revision = excluded.revision, next_at = excluded.next_at, problem = excluded.problem
WHERE s.revision = $9
RETURNING s.id
