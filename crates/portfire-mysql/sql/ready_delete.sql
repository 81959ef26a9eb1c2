-- By the whole key.
DELETE r FROM portfire_ready AS r FORCE INDEX (PRIMARY) WHERE (r.queue, r.priority, r.run_at, r.id) IN (?)
