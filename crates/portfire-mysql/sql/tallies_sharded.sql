-- What sessions counted in minutes that are over, past what others hold; the columns are those of every query of
-- old tallies. Shard 0, which is all that was merged, is no part of the range.
SELECT width, at, shard, kind, queue, created, succeeded, failed, cancelled, retried, crashed, waited, ran
FROM portfire_tally FORCE INDEX (shards) WHERE shard > 0 AND at < ? LIMIT ? FOR UPDATE SKIP LOCKED
