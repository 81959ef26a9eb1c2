-- Jobs whose time to be kept has passed, past what others hold.
SELECT f.id FROM portfire_finished AS f FORCE INDEX (prune)
WHERE f.prune_at <= ? ORDER BY f.prune_at LIMIT ? FOR UPDATE SKIP LOCKED
