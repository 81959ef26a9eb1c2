-- The head of the schedule, past what others hold. The primary key is the order: nothing is sorted.
SELECT s.run_at, s.id FROM portfire_scheduled AS s FORCE INDEX (PRIMARY)
WHERE s.run_at <= ? ORDER BY s.run_at, s.id LIMIT ? FOR UPDATE SKIP LOCKED
