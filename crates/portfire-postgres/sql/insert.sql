-- Bodies and places of a set, and what is counted, in one statement. Answers the ids that are new: a repeated id changes nothing.
-- `waiting_for` is how many parents are undecided; below zero, one has ended so that the job is cancelled.
WITH input AS MATERIALIZED (
    SELECT i.*, greatest(coalesce(i.at, portfire_now($1) + i.delay), portfire_now($1)) AS run_at
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::text[],
        $10::text[], $11::text[], $12::bigint[], $13::bigint[], $16::text[], $17::bigint[])
        AS i(id, kind, queue, priority, at, delay, args, policy, unique_name, tags, cancelled_keep, waiting_for,
            schedule, slot_at)
),
body AS (
    INSERT INTO portfire_job AS j (id, kind, queue, priority, run_at, created_at, args, policy, unique_name, tags,
        has_parents, cancelled_keep, schedule, slot_at)
    SELECT id, kind, queue, priority, run_at, portfire_now($1), args, policy, unique_name, tags,
        waiting_for IS NOT NULL, cancelled_keep, schedule, slot_at
    FROM input ORDER BY id
    ON CONFLICT (id) DO NOTHING
    RETURNING j.id
),
fresh AS (SELECT input.* FROM body JOIN input ON input.id = body.id),
ready AS (
    INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
    SELECT queue, priority, run_at, id, kind FROM fresh
    WHERE coalesce(waiting_for, 0) = 0 AND run_at <= portfire_now($1) ORDER BY queue, priority, run_at, id
),
scheduled AS (
    INSERT INTO portfire_scheduled (run_at, id, retrying)
    SELECT run_at, id, false FROM fresh WHERE coalesce(waiting_for, 0) = 0 AND run_at > portfire_now($1)
),
awaiting AS (
    INSERT INTO portfire_awaiting (id, waiting_for) SELECT id, waiting_for FROM fresh WHERE waiting_for > 0
),
cancelled AS (
    INSERT INTO portfire_finished (id, state, finished_at, prune_at)
    SELECT id, 'cancelled', portfire_now($1), portfire_now($1) + cancelled_keep FROM fresh WHERE waiting_for < 0
),
counted AS (
    INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, created, cancelled)
    SELECT 60, portfire_minute(portfire_now($1)), pg_backend_pid(), kind, queue, count(*),
        count(*) FILTER (WHERE waiting_for < 0)
    FROM fresh GROUP BY kind, queue
    ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET created = t.created + excluded.created,
        cancelled = t.cancelled + excluded.cancelled
),
words AS (
    INSERT INTO portfire_tag (tag, job)
    SELECT t.tag, t.job FROM unnest($14::text[], $15::uuid[]) AS t(tag, job) JOIN body ON body.id = t.job
    ON CONFLICT DO NOTHING
)
SELECT id FROM body
