-- How jobs enter, as a function like those of an exchange: made anew for each call, its plan takes four times as
-- long as storing a job does.

-- Places for those of a set that do not become ready like all others: the jobs for later, and the children.
-- `waiting_for` is how many parents of a child are undecided; below zero, one has ended so that the child is cancelled.
CREATE FUNCTION portfire_place(instant bigint, stored uuid[], these_children uuid[], these_waits bigint[])
RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    WITH others AS MATERIALIZED (
        SELECT j.id, j.kind, j.queue, j.priority, j.run_at, j.cancelled_keep, coalesce(c.waiting_for, 0) AS waiting_for
        FROM portfire_job AS j LEFT JOIN unnest(these_children, these_waits) AS c(id, waiting_for) ON c.id = j.id
        WHERE j.id = ANY (stored) AND (j.has_parents OR j.run_at > instant)
    ),
    ready AS (
        INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
        SELECT queue, priority, run_at, id, kind FROM others WHERE waiting_for = 0 AND run_at <= instant
    ),
    scheduled AS (
        INSERT INTO portfire_scheduled (run_at, id, retrying)
        SELECT run_at, id, false FROM others WHERE waiting_for = 0 AND run_at > instant
    ),
    awaiting AS (
        INSERT INTO portfire_awaiting (id, waiting_for) SELECT id, waiting_for FROM others WHERE waiting_for > 0
    ),
    cancelled AS (
        INSERT INTO portfire_finished (id, state, finished_at, prune_at)
        SELECT id, 'cancelled', instant, instant + cancelled_keep FROM others WHERE waiting_for < 0
    )
    INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, cancelled)
    SELECT 60, portfire_minute(instant), portfire_shard(instant), kind, queue, count(*)
    FROM others WHERE waiting_for < 0 GROUP BY kind, queue
    ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET cancelled = t.cancelled + excluded.cancelled;
END
$$;

-- Bodies and places of a set in the order of its ids, and what is counted. Answers the ids that were there already,
-- which change nothing, if any may be: else one that is fails the statement. To look for them takes a fifth of storing
-- a job (and `ON CONFLICT` takes more), and nearly all sets are new. A list that says the same of each job has one
-- item, and one that says nothing of any has none: each list that is unpicked costs a row a twentieth of being stored.
-- What is rare has statements of its own, because a statement costs by the tables it writes to, even if it writes
-- nothing: alone, a job took twice as long. The plan is pinned to hashes, since a set may have thousands of rows: nested
-- loops over it would take the square of that. Only what may be stored already is looked up, by its id.
CREATE FUNCTION portfire_insert(
    handed_in bigint, may_repeat boolean, these_ids uuid[], these_kinds text[], these_queues text[],
    these_priorities bigint[], these_times bigint[], these_delays bigint[], these_args text[], these_policies text[],
    these_names text[], these_tags text[], these_keeps bigint[], these_children uuid[], these_waits bigint[],
    these_words text[], these_owners uuid[], these_schedules text[], these_slots bigint[]
) RETURNS TABLE (id uuid) LANGUAGE plpgsql
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    instant bigint := portfire_now(handed_in);
    stored uuid[];
    some_wait boolean;
BEGIN
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
        RETURNING j.id, j.kind, j.queue, j.priority, j.run_at, j.has_parents
    ),
    ready AS (
        INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
        SELECT queue, priority, run_at, id, kind FROM fresh WHERE NOT has_parents AND run_at <= instant
    ),
    counted AS (
        INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, created)
        SELECT 60, portfire_minute(instant), portfire_shard(instant), kind, queue, count(*) FROM fresh GROUP BY kind, queue
        ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET created = t.created + excluded.created
    )
    SELECT array_agg(id), bool_or(has_parents OR run_at > instant) INTO stored, some_wait FROM fresh;

    IF some_wait THEN
        PERFORM portfire_place(instant, stored, these_children, these_waits);
    END IF;
    IF cardinality(these_words) > 0 THEN
        INSERT INTO portfire_tag (tag, job)
        SELECT t.tag, t.job FROM unnest(these_words, these_owners) AS t(tag, job)
        JOIN unnest(stored) AS s(id) ON s.id = t.job
        ON CONFLICT DO NOTHING;
    END IF;
    IF may_repeat THEN
        RETURN QUERY SELECT i.id FROM unnest(these_ids) AS i(id) EXCEPT SELECT s.id FROM unnest(stored) AS s(id);
    END IF;
END
$$;
