-- How jobs enter, as a function like those of an exchange: made anew for each call, its plan takes four times as
-- long as storing a job does.

-- Bodies and places of a set in the order of its ids, and what is counted, in one statement. Answers the ids that were
-- there already, which change nothing, if any may be: else one that is fails the statement. To look for them takes a
-- fifth of storing a job (and `ON CONFLICT` takes more), and nearly all sets are new. `waiting_for` is how many parents of a child are undecided; below zero, one has ended so
-- that the child is cancelled. A list that says the same of each job has one item, and one that says nothing of any
-- has none: each list that is unpicked costs a row a twentieth of being stored. The plan is pinned to hashes, since a
-- set may have thousands of rows: nested loops over it would take the square of that. Only what may be stored already
-- is looked up, by its id.
CREATE FUNCTION portfire_insert(
    handed_in bigint, may_repeat boolean, these_ids uuid[], these_kinds text[], these_queues text[], these_priorities bigint[],
    these_times bigint[], these_delays bigint[], these_args text[], these_policies text[], these_names text[],
    these_tags text[], these_keeps bigint[], these_children uuid[], these_waits bigint[], these_words text[],
    these_owners uuid[], these_schedules text[], these_slots bigint[]
) RETURNS TABLE (id uuid) LANGUAGE plpgsql
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    instant bigint := portfire_now(handed_in);
BEGIN
    RETURN QUERY
    WITH fresh AS (
        INSERT INTO portfire_job AS j (id, kind, queue, priority, run_at, created_at, args, policy, unique_name, tags,
            has_parents, cancelled_keep, schedule, slot_at)
        SELECT i.id, coalesce(i.kind, these_kinds[1]), coalesce(i.queue, these_queues[1]),
            coalesce(i.priority, these_priorities[1]),
            greatest(coalesce(i.at, instant + coalesce(i.delay, these_delays[1])), instant), instant, i.args, i.policy,
            i.unique_name, i.tags, c.id IS NOT NULL, nullif(coalesce(i.keep, these_keeps[1]), -1), i.schedule, i.slot_at
        FROM unnest(these_ids, these_kinds, these_queues, these_priorities, these_times, these_delays, these_args,
            these_policies, these_names, these_tags, these_keeps, these_schedules, these_slots)
            AS i(id, kind, queue, priority, at, delay, args, policy, unique_name, tags, keep, schedule, slot_at)
            LEFT JOIN unnest(these_children) AS c(id) ON c.id = i.id
        -- Not as EXISTS, which may be hashed: all jobs that there are.
        WHERE NOT may_repeat OR (SELECT k.id FROM portfire_job AS k WHERE k.id = i.id) IS NULL
        RETURNING j.id, j.kind, j.queue, j.priority, j.run_at, j.has_parents, j.cancelled_keep
    ),
    children AS (
        SELECT f.*, c.waiting_for FROM unnest(these_children, these_waits) AS c(id, waiting_for)
        JOIN fresh AS f ON f.id = c.id
    ),
    placed AS (
        SELECT id, kind, queue, priority, run_at FROM fresh WHERE NOT has_parents
        UNION ALL
        SELECT id, kind, queue, priority, run_at FROM children WHERE waiting_for = 0
    ),
    ready AS (
        INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
        SELECT queue, priority, run_at, id, kind FROM placed
        WHERE run_at <= instant
    ),
    scheduled AS (
        INSERT INTO portfire_scheduled (run_at, id, retrying)
        SELECT run_at, id, false FROM placed WHERE run_at > instant
    ),
    awaiting AS (
        INSERT INTO portfire_awaiting (id, waiting_for) SELECT id, waiting_for FROM children WHERE waiting_for > 0
    ),
    cancelled AS (
        INSERT INTO portfire_finished (id, state, finished_at, prune_at)
        SELECT id, 'cancelled', instant, instant + cancelled_keep FROM children WHERE waiting_for < 0
    ),
    counts AS (
        SELECT kind, queue, count(*) AS created FROM fresh GROUP BY kind, queue
    ),
    ends AS (
        SELECT kind, queue, count(*) AS cancelled FROM children WHERE waiting_for < 0 GROUP BY kind, queue
    ),
    counted AS (
        INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, created, cancelled)
        SELECT 60, portfire_minute(instant), pg_backend_pid(), c.kind, c.queue, c.created, coalesce(e.cancelled, 0)
        FROM counts AS c LEFT JOIN ends AS e ON e.kind = c.kind AND e.queue = c.queue
        ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET created = t.created + excluded.created,
            cancelled = t.cancelled + excluded.cancelled
    ),
    words AS (
        INSERT INTO portfire_tag (tag, job)
        SELECT t.tag, t.job FROM unnest(these_words, these_owners) AS t(tag, job) JOIN fresh ON fresh.id = t.job
        ON CONFLICT DO NOTHING
    )
    SELECT i.id FROM unnest(these_ids) AS i(id)
    WHERE may_repeat AND NOT EXISTS (SELECT 1 FROM fresh WHERE fresh.id = i.id);
END
$$;
