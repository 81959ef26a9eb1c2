-- Tallies that were added to others, or are too old.
DELETE FROM portfire_tally WHERE (width, at, shard, kind, queue) IN (?)
