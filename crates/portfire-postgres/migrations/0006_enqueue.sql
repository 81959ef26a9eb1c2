-- How jobs enter, as a function like those of an exchange: made anew for each call, its plan takes four times as
-- long as storing a job does.

-- Bodies and places of a set, and what is counted, in one statement. Answers the ids that are new: a repeated id
-- changes nothing. `waiting_for` is how many parents are undecided; below zero, one has ended so that the job is
-- cancelled. The plan is pinned to hashes, since a set may have thousands of rows: nested loops over it would
-- take the square of that.
CREATE FUNCTION portfire_insert(
    handed_in bigint, these_ids uuid[], these_kinds text[], these_queues text[], these_priorities bigint[],
    these_times bigint[], these_delays bigint[], these_args text[], these_policies text[], these_names text[],
    these_tags text[], these_keeps bigint[], these_waits bigint[], these_words text[], these_owners uuid[],
    these_schedules text[], these_slots bigint[]
) RETURNS TABLE (id uuid) LANGUAGE plpgsql
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_nestloop = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    instant bigint := portfire_now(handed_in);
BEGIN
    RETURN QUERY
    WITH input AS MATERIALIZED (
        SELECT i.*, greatest(coalesce(i.at, instant + i.delay), instant) AS run_at
        FROM unnest(these_ids, these_kinds, these_queues, these_priorities, these_times, these_delays, these_args,
            these_policies, these_names, these_tags, these_keeps, these_waits, these_schedules, these_slots)
            AS i(id, kind, queue, priority, at, delay, args, policy, unique_name, tags, cancelled_keep, waiting_for,
                schedule, slot_at)
    ),
    body AS (
        INSERT INTO portfire_job AS j (id, kind, queue, priority, run_at, created_at, args, policy, unique_name, tags,
            has_parents, cancelled_keep, schedule, slot_at)
        SELECT id, kind, queue, priority, run_at, instant, args, policy, unique_name, tags,
            waiting_for IS NOT NULL, cancelled_keep, schedule, slot_at
        FROM input ORDER BY id
        ON CONFLICT ON CONSTRAINT portfire_job_pkey DO NOTHING
        RETURNING j.id
    ),
    fresh AS (SELECT input.* FROM body JOIN input ON input.id = body.id),
    ready AS (
        INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
        SELECT queue, priority, run_at, id, kind FROM fresh
        WHERE coalesce(waiting_for, 0) = 0 AND run_at <= instant ORDER BY queue, priority, run_at, id
    ),
    scheduled AS (
        INSERT INTO portfire_scheduled (run_at, id, retrying)
        SELECT run_at, id, false FROM fresh WHERE coalesce(waiting_for, 0) = 0 AND run_at > instant
    ),
    awaiting AS (
        INSERT INTO portfire_awaiting (id, waiting_for) SELECT id, waiting_for FROM fresh WHERE waiting_for > 0
    ),
    cancelled AS (
        INSERT INTO portfire_finished (id, state, finished_at, prune_at)
        SELECT id, 'cancelled', instant, instant + cancelled_keep FROM fresh
        WHERE waiting_for < 0
    ),
    counted AS (
        INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, created, cancelled)
        SELECT 60, portfire_minute(instant), pg_backend_pid(), kind, queue, count(*),
            count(*) FILTER (WHERE waiting_for < 0)
        FROM fresh GROUP BY kind, queue
        ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET created = t.created + excluded.created,
            cancelled = t.cancelled + excluded.cancelled
    ),
    words AS (
        INSERT INTO portfire_tag (tag, job)
        SELECT t.tag, t.job FROM unnest(these_words, these_owners) AS t(tag, job) JOIN body ON body.id = t.job
        ON CONFLICT DO NOTHING
    )
    SELECT body.id FROM body;
END
$$;
