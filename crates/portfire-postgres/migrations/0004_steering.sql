-- Steering: queues that are paused, what servers are told, and what persons did.

-- Queues from which nothing is claimed. A row goes when its queue is resumed. Who and why are null unless it
-- was a person.
CREATE TABLE portfire_paused_queue (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    since bigint NOT NULL,
    actor text,
    reason text
);

-- What the server is to do; it hears of it at its next heartbeat.
ALTER TABLE portfire_server ADD COLUMN ordered text NOT NULL DEFAULT 'run';

-- One row for each target that a person changed, or was refused. `sort` says what the target is. Never changed,
-- and without ties to anything: it outlives what it speaks of.
CREATE TABLE portfire_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    sort text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    action text NOT NULL,
    actor text NOT NULL,
    via text NOT NULL,
    reason text,
    was text,
    became text,
    outcome text NOT NULL
);
CREATE INDEX portfire_audit_target ON portfire_audit (sort, target, id);
CREATE INDEX portfire_audit_prune ON portfire_audit (at);

-- What is known of the jobs that a job waited for, in their order.
CREATE FUNCTION portfire_parents(waiting uuid) RETURNS text LANGUAGE sql STABLE
SET search_path FROM CURRENT AS $$
    SELECT json_agg(json_build_array(d.parent, d.state, d.result) ORDER BY d.position)::text
    FROM portfire_dependency AS d WHERE d.child = waiting
$$;

-- Goes through the wanted queues in their order; the list of queues drives a nested loop, which ends as soon as
-- there is enough. A paused queue is passed by, and so is what others hold. Each queue is read in the stretches that are
-- handed in for its number: from a place, past the dead entries of jobs that are gone, which are there until a vacuum (on
-- four hundred thousand they doubled the cost of a claim), until a priority. What is before that place in its priority
-- comes when the stretch has nothing more, if it is to be looked at. The bodies come along; parents, which few have, by
-- a function, whose plan is made ready for none but those.
-- A claim and its repeat (`portfire_claim_again`) wait for each other at the server's row, so that one which the repeat
-- has not seen takes nothing; heartbeats wait for neither: they leave the key as it is.
-- Then come the cancel requests of this server, the queues that are paused, and a last row with how many entries of the
-- index were read, of jobs and of what they left, and the instant, if this server may claim.
CREATE FUNCTION portfire_claim(
    handed_in bigint, this_token uuid, this_server uuid, wanted_queues text[], wanted_limits bigint[],
    from_numbers bigint[], from_priorities bigint[], from_times bigint[], from_ids uuid[], until_priorities bigint[],
    look_before boolean[], wanted_kinds text[], wanted bigint
) RETURNS TABLE (
    place bigint, queue text, id uuid, kind text, args text, policy text, tags text, created_at bigint,
    attempts integer, crashes integer, parents text, schedule text, slot_at bigint, priority smallint, run_at bigint,
    flagged uuid, claimed_at bigint, walked bigint
) LANGUAGE plpgsql
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    may_claim boolean;
    instant bigint := portfire_now(handed_in);
    read_before bigint := pg_stat_get_xact_tuples_returned('portfire_ready_pkey'::regclass);
BEGIN
    SELECT lease_until > instant AND (closed_token IS NULL OR closed_token < this_token)
    INTO may_claim FROM portfire_server WHERE id = this_server FOR KEY SHARE;
    RETURN QUERY
    WITH picked AS MATERIALIZED (
        SELECT head.* FROM unnest(wanted_queues, wanted_limits) WITH ORDINALITY AS q(queue, most, number)
        CROSS JOIN LATERAL (
            SELECT part.* FROM unnest(from_numbers, from_priorities, from_times, from_ids, until_priorities, look_before)
                AS w(number, priority, run_at, id, until, looks_before)
            CROSS JOIN LATERAL (
                SELECT * FROM (SELECT r.ctid AS spot, r.id FROM portfire_ready AS r
                    WHERE r.queue = q.queue AND (r.priority, r.run_at, r.id) >= (w.priority, w.run_at, w.id)
                        AND r.priority < w.until AND r.kind = ANY (wanted_kinds)
                    ORDER BY r.priority, r.run_at, r.id FOR UPDATE SKIP LOCKED) AS behind
                UNION ALL
                SELECT * FROM (SELECT r.ctid, r.id FROM portfire_ready AS r
                    WHERE r.queue = q.queue AND r.priority = w.priority AND (r.run_at, r.id) < (w.run_at, w.id)
                        AND r.kind = ANY (wanted_kinds) AND w.looks_before
                    ORDER BY r.run_at, r.id FOR UPDATE SKIP LOCKED) AS before
            ) AS part
            WHERE w.number = q.number
            LIMIT q.most
        ) AS head
        WHERE may_claim AND NOT EXISTS (SELECT 1 FROM portfire_paused_queue AS p WHERE p.name = q.queue)
        LIMIT wanted
    ),
    gone AS (
        DELETE FROM portfire_ready WHERE ctid = ANY (ARRAY(SELECT spot FROM picked))
    ),
    -- In the order in which they were picked.
    body AS MATERIALIZED (
        SELECT row_number() OVER () AS place, j.* FROM picked AS p JOIN portfire_job AS j ON j.id = ANY (ARRAY[p.id])
    ),
    held AS (
        INSERT INTO portfire_running (id, token, place, server, attempt, started_at, cancel_requested,
            kind, queue, run_at, is_unique)
        SELECT id, this_token, place, this_server, attempts + 1,
            -- What was made ready after this statement began is seen all the same: it starts when it was due.
            greatest(instant, run_at), false, kind, queue, run_at, unique_name IS NOT NULL
        FROM body
    )
    SELECT b.place, b.queue, b.id, b.kind, b.args, b.policy, b.tags, b.created_at, b.attempts, b.crashes,
        CASE WHEN b.has_parents THEN portfire_parents(b.id) END, b.schedule, b.slot_at,
        b.priority, b.run_at, NULL::uuid, NULL::bigint, NULL::bigint
    FROM body AS b
    UNION ALL
    SELECT NULL, NULL, r.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, r.token, NULL, NULL
    FROM portfire_running AS r WHERE r.server = this_server AND r.cancel_requested
    UNION ALL
    SELECT NULL, p.name, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM portfire_paused_queue AS p;
    claimed_at := CASE WHEN may_claim THEN instant END;
    walked := pg_stat_get_xact_tuples_returned('portfire_ready_pkey'::regclass) - read_before;
    RETURN NEXT;
END
$$;

-- A claim is asked once. Whoever has not heard of it asks this by its token: what it took, in its order, for which all
-- running jobs are read (there are few, and it is rare). The token is closed, and with it those before it: should the
-- claim come late, it takes nothing. Cancel requests are as a claim's, and the last row says that nothing was read.
CREATE FUNCTION portfire_claim_again(this_token uuid, this_server uuid) RETURNS TABLE (
    place bigint, queue text, id uuid, kind text, args text, policy text, tags text, created_at bigint,
    attempts integer, crashes integer, parents text, schedule text, slot_at bigint, priority smallint, run_at bigint,
    flagged uuid, claimed_at bigint, walked bigint
) LANGUAGE plpgsql
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM portfire_server WHERE id = this_server FOR UPDATE;
    UPDATE portfire_server SET closed_token = this_token
    WHERE id = this_server AND (closed_token IS NULL OR closed_token < this_token);
    RETURN QUERY
    WITH taken AS MATERIALIZED (
        SELECT r.id, r.place, r.attempt FROM portfire_running AS r WHERE r.token = this_token ORDER BY r.place
    )
    SELECT t.place::bigint, j.queue, j.id, j.kind, j.args, j.policy, j.tags, j.created_at, t.attempt - 1, j.crashes,
        CASE WHEN j.has_parents THEN portfire_parents(j.id) END, j.schedule, j.slot_at,
        j.priority, j.run_at, NULL::uuid, NULL::bigint, NULL::bigint
    FROM taken AS t JOIN portfire_job AS j ON j.id = ANY (ARRAY[t.id])
    UNION ALL
    SELECT NULL, NULL, r.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, r.token, NULL, NULL
    FROM portfire_running AS r WHERE r.server = this_server AND r.cancel_requested;
    RETURN NEXT;
END
$$;

-- One look for all that a server might have to do, and no more than the head of each table. Each queue is looked at in
-- the stretches that are handed in, as by a claim, and before them, if the instant for that has come. Who may have lost
-- jobs is asked of the servers, of which few are dead, and not of all that runs. The first row is the answer, with the
-- instant and how many entries were walked over before the places; the others number those before which a job was found.
CREATE FUNCTION portfire_poll(
    handed_in bigint, wanted_queues text[], from_priorities bigint[], from_times bigint[], from_ids uuid[],
    until_priorities bigint[], due_times bigint[]
) RETURNS TABLE (
    stands_before bigint, enqueued boolean, expired boolean, next bigint, next_slot bigint, looked_at bigint, walked bigint
) LANGUAGE plpgsql
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    instant bigint := portfire_now(handed_in);
    read_before bigint := pg_stat_get_xact_tuples_returned('portfire_ready_pkey'::regclass);
    places_before bigint[];
BEGIN
    SELECT array_agg(w.place) INTO places_before
    FROM unnest(wanted_queues, from_priorities, from_times, from_ids, due_times) WITH ORDINALITY
        AS w(queue, priority, run_at, id, due_at, place)
    WHERE w.due_at <= instant AND (SELECT r.id FROM portfire_ready AS r WHERE r.queue = w.queue AND r.priority = w.priority
        AND (r.run_at, r.id) < (w.run_at, w.id) ORDER BY r.run_at, r.id LIMIT 1) IS NOT NULL;
    walked := pg_stat_get_xact_tuples_returned('portfire_ready_pkey'::regclass) - read_before;
    looked_at := instant;

    SELECT EXISTS (SELECT 1 FROM unnest(wanted_queues, from_priorities, from_times, from_ids, until_priorities)
            AS w(queue, priority, run_at, id, until)
        WHERE (SELECT r.id FROM portfire_ready AS r
            WHERE r.queue = w.queue AND (r.priority, r.run_at, r.id) >= (w.priority, w.run_at, w.id) AND r.priority < w.until
            ORDER BY r.priority, r.run_at, r.id LIMIT 1) IS NOT NULL),
        EXISTS (SELECT 1 FROM (
                SELECT s.id FROM portfire_server AS s WHERE s.lease_until <= instant
                UNION ALL
                SELECT l.server FROM portfire_left AS l
                WHERE (SELECT s.id FROM portfire_server AS s WHERE s.id = l.server AND s.lease_until > instant) IS NULL
            ) AS gone
            WHERE (SELECT r.id FROM portfire_running AS r WHERE r.server = gone.id LIMIT 1) IS NOT NULL),
        (SELECT greatest(s.run_at - instant, 0) FROM portfire_scheduled AS s ORDER BY s.run_at LIMIT 1),
        (SELECT greatest(s.next_at - instant, 0) FROM portfire_schedule AS s
            WHERE s.next_at IS NOT NULL ORDER BY s.next_at LIMIT 1)
    INTO enqueued, expired, next, next_slot;
    RETURN NEXT;

    FOREACH stands_before IN ARRAY coalesce(places_before, '{}') LOOP
        RETURN NEXT;
    END LOOP;
END
$$;
