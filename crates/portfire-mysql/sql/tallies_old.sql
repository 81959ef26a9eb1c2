-- The oldest tallies of a width, past what others hold.
SELECT width, at, shard, kind, queue, created, succeeded, failed, cancelled, retried, crashed, waited, ran
FROM portfire_tally FORCE INDEX (PRIMARY) WHERE width = ? AND at < ? ORDER BY at LIMIT ? FOR UPDATE SKIP LOCKED
