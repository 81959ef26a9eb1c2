-- Ends a job that does not run, and counts it. It is out of its old place already.
WITH names AS (DELETE FROM portfire_unique_name WHERE job = $2),
counted AS (
    INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, cancelled)
    SELECT 60, portfire_minute(portfire_now($1)), portfire_shard(portfire_now($1)), j.kind, j.queue, 1
    FROM portfire_job AS j WHERE j.id = $2
    ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET cancelled = t.cancelled + excluded.cancelled
)
INSERT INTO portfire_finished (id, state, finished_at, prune_at)
SELECT j.id, 'cancelled', portfire_now($1), portfire_now($1) + j.cancelled_keep FROM portfire_job AS j WHERE j.id = $2
