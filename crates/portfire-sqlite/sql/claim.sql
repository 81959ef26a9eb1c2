-- Reads the head of one queue in claim order, unless it is paused; ?2 is the list of known kinds as JSON. The body comes along, so a claim is one probe per job.
SELECT r.queue, r.priority, r.run_at, r.id, j.kind, j.args, j.policy, j.tags, j.created_at, j.attempts, j.crashes, j.has_parents, j.schedule, j.slot_at
FROM portfire_ready AS r CROSS JOIN portfire_job AS j ON j.id = r.id
WHERE r.queue = ?1 AND r.kind IN (SELECT value FROM json_each(?2))
  AND NOT EXISTS (SELECT 1 FROM portfire_paused_queue WHERE name = ?1)
ORDER BY r.priority, r.run_at, r.id
LIMIT ?3
