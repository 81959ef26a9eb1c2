-- Tallies of one kind in one queue that were added to others, or are too old. By the whole key: texts in a list of rows
-- would be compared as the connection says.
DELETE t FROM (?) AS k STRAIGHT_JOIN portfire_tally AS t FORCE INDEX (PRIMARY)
ON t.width = k.c1 AND t.at = k.c2 AND t.shard = k.c3 WHERE t.kind = ? AND t.queue = ?
