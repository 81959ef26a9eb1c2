-- Jobs whose time to be kept has passed.
SELECT id FROM portfire_finished WHERE prune_at <= ?1 ORDER BY prune_at LIMIT ?2
