-- Tallies that were added to others, or are too old. This form of DELETE is the one that can be told its index.
DELETE t FROM portfire_tally AS t FORCE INDEX (PRIMARY) WHERE (t.width, t.at, t.shard, t.kind, t.queue) IN (?)
