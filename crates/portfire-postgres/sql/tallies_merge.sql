-- Merges what sessions counted in minutes that are over. Past what others hold, and in order, as folding does.
WITH old AS MATERIALIZED (
    SELECT t.ctid AS spot FROM portfire_tally AS t
    WHERE t.shard <> 0 AND t.at < $1 ORDER BY t.at LIMIT $2 FOR UPDATE SKIP LOCKED
),
gone AS (DELETE FROM portfire_tally WHERE ctid = ANY (ARRAY(SELECT spot FROM old)) RETURNING *)
INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, created, succeeded, failed, cancelled, retried, crashed, waited, ran)
SELECT width, at, 0, kind, queue, sum(created)::bigint, sum(succeeded)::bigint, sum(failed)::bigint, sum(cancelled)::bigint, sum(retried)::bigint, sum(crashed)::bigint, sum(waited)::bigint, sum(ran)::bigint
FROM gone GROUP BY width, at, kind, queue ORDER BY width, at, kind, queue
ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET
    created = t.created + excluded.created,
    succeeded = t.succeeded + excluded.succeeded,
    failed = t.failed + excluded.failed,
    cancelled = t.cancelled + excluded.cancelled,
    retried = t.retried + excluded.retried,
    crashed = t.crashed + excluded.crashed,
    waited = t.waited + excluded.waited,
    ran = t.ran + excluded.ran
