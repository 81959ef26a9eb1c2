-- Adds old tallies of one width to those of a wider one; a null width drops them. Past what others hold, and
-- in order, so that two servers do not wait for each other.
WITH old AS MATERIALIZED (
    SELECT t.ctid AS spot FROM portfire_tally AS t
    WHERE t.width = $1 AND t.at < $2 ORDER BY t.at LIMIT $4 FOR UPDATE SKIP LOCKED
),
gone AS (DELETE FROM portfire_tally WHERE ctid = ANY (ARRAY(SELECT spot FROM old)) RETURNING *)
INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, created, succeeded, failed, cancelled, retried, crashed, waited, ran)
SELECT $3, at - at % ($3 * 1000000), 0, kind, queue, sum(created)::bigint, sum(succeeded)::bigint, sum(failed)::bigint, sum(cancelled)::bigint, sum(retried)::bigint, sum(crashed)::bigint, sum(waited)::bigint, sum(ran)::bigint
FROM gone WHERE $3 IS NOT NULL GROUP BY 2, kind, queue ORDER BY 2, kind, queue
ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET
    created = t.created + excluded.created,
    succeeded = t.succeeded + excluded.succeeded,
    failed = t.failed + excluded.failed,
    cancelled = t.cancelled + excluded.cancelled,
    retried = t.retried + excluded.retried,
    crashed = t.crashed + excluded.crashed,
    waited = t.waited + excluded.waited,
    ran = t.ran + excluded.ran
