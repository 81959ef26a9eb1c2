-- A set of different jobs that are ready at once and nothing more, as `insert_one.sql`. A list that says the same of each
-- job has one item, and one that says nothing of any has none. Nothing is joined, so the plan suits one job and ten
-- thousand.
WITH input AS MATERIALIZED (
    SELECT i.id, coalesce(i.kind, ($3::text[])[1]) AS kind, coalesce(i.queue, ($4::text[])[1]) AS queue,
        coalesce(i.priority, ($5::bigint[])[1]) AS priority, portfire_now($1) AS instant, i.args, i.policy,
        coalesce(i.keep, ($8::bigint[])[1]) AS keep
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bigint[])
        AS i(id, kind, queue, priority, args, policy, keep)
),
body AS (
    INSERT INTO portfire_job (id, kind, queue, priority, run_at, created_at, args, policy, has_parents, cancelled_keep)
    SELECT id, kind, queue, priority, instant, instant, args, policy, false, nullif(keep, -1) FROM input
),
ready AS (
    INSERT INTO portfire_ready (queue, priority, run_at, id, kind) SELECT queue, priority, instant, id, kind FROM input
)
INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, created)
SELECT 60, portfire_minute(portfire_now($1)), portfire_shard(portfire_now($1)), kind, queue, count(*) FROM input GROUP BY kind, queue
ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET created = t.created + excluded.created
