-- The head of one queue, past what others hold. The primary key is the order: nothing is sorted, and no row beyond
-- the last one that is taken is held.
SELECT r.priority, r.run_at, r.id FROM portfire_ready AS r FORCE INDEX (PRIMARY)
WHERE r.queue = ? AND r.kind IN (?) ORDER BY r.priority, r.run_at, r.id LIMIT ? FOR UPDATE SKIP LOCKED
