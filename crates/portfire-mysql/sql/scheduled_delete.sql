-- By the whole key.
DELETE s FROM portfire_scheduled AS s FORCE INDEX (PRIMARY) WHERE (s.run_at, s.id) IN (?)
