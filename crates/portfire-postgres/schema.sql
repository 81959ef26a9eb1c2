portfire_attempt.job uuid NOT NULL
portfire_attempt.seq integer NOT NULL
portfire_attempt.attempt integer NOT NULL
portfire_attempt.started_at bigint NOT NULL
portfire_attempt.ended_at bigint NOT NULL
portfire_attempt.server uuid NOT NULL
portfire_attempt.outcome text NOT NULL
portfire_attempt.fault text
portfire_audit.id bigint NOT NULL
portfire_audit.at bigint NOT NULL
portfire_audit.sort text NOT NULL COLLATE C
portfire_audit.target text NOT NULL COLLATE C
portfire_audit.action text NOT NULL
portfire_audit.actor text NOT NULL
portfire_audit.via text NOT NULL
portfire_audit.reason text
portfire_audit.was text
portfire_audit.became text
portfire_audit.outcome text NOT NULL
portfire_awaiting.id uuid NOT NULL
portfire_awaiting.waiting_for integer NOT NULL
portfire_dependency.child uuid NOT NULL
portfire_dependency.position integer NOT NULL
portfire_dependency.parent uuid NOT NULL
portfire_dependency.on_end text NOT NULL COLLATE C
portfire_dependency.state text COLLATE C
portfire_dependency.result text
portfire_fault_group.fingerprint text NOT NULL COLLATE C
portfire_fault_group.kind text NOT NULL COLLATE C
portfire_fault_group.sample text NOT NULL
portfire_fault_group.first_at bigint NOT NULL
portfire_fault_group.last_at bigint NOT NULL
portfire_fault_group.count bigint NOT NULL
portfire_fault_group.last_job uuid NOT NULL
portfire_finished.id uuid NOT NULL
portfire_finished.state text NOT NULL COLLATE C
portfire_finished.finished_at bigint NOT NULL
portfire_finished.started_at bigint
portfire_finished.token uuid
portfire_finished.server uuid
portfire_finished.prune_at bigint
portfire_finished.fingerprint text COLLATE C
portfire_job.id uuid NOT NULL
portfire_job.kind text NOT NULL COLLATE C
portfire_job.queue text NOT NULL COLLATE C
portfire_job.priority smallint NOT NULL
portfire_job.run_at bigint NOT NULL
portfire_job.created_at bigint NOT NULL
portfire_job.args text NOT NULL
portfire_job.policy text
portfire_job.unique_name text COLLATE C
portfire_job.tags text
portfire_job.has_parents boolean NOT NULL
portfire_job.cancelled_keep bigint
portfire_job.attempts integer NOT NULL
portfire_job.crashes integer NOT NULL
portfire_job.last_token uuid
portfire_job.last_state text
portfire_job.schedule text COLLATE C
portfire_job.slot_at bigint
portfire_left.server uuid NOT NULL
portfire_log.job uuid NOT NULL
portfire_log.seq integer NOT NULL
portfire_log.attempt integer NOT NULL
portfire_log.at bigint NOT NULL
portfire_log.text text NOT NULL
portfire_meta.version bigint NOT NULL
portfire_paused_queue.name text NOT NULL COLLATE C
portfire_paused_queue.since bigint NOT NULL
portfire_paused_queue.actor text
portfire_paused_queue.reason text
portfire_progress.job uuid NOT NULL
portfire_progress.done bigint NOT NULL
portfire_progress.total bigint
portfire_progress.message text
portfire_ready.queue text NOT NULL COLLATE C
portfire_ready.priority smallint NOT NULL
portfire_ready.run_at bigint NOT NULL
portfire_ready.id uuid NOT NULL
portfire_ready.kind text NOT NULL COLLATE C
portfire_result.job uuid NOT NULL
portfire_result.result text NOT NULL
portfire_running.id uuid NOT NULL
portfire_running.token uuid NOT NULL
portfire_running.place integer NOT NULL
portfire_running.server uuid NOT NULL
portfire_running.attempt integer NOT NULL
portfire_running.started_at bigint NOT NULL
portfire_running.cancel_requested boolean NOT NULL
portfire_running.kind text NOT NULL COLLATE C
portfire_running.queue text NOT NULL COLLATE C
portfire_running.run_at bigint NOT NULL
portfire_running.is_unique boolean NOT NULL
portfire_schedule.id text NOT NULL COLLATE C
portfire_schedule.cron text NOT NULL
portfire_schedule.zone text NOT NULL
portfire_schedule.definition text NOT NULL
portfire_schedule.revision bigint NOT NULL
portfire_schedule.next_at bigint
portfire_schedule.problem text
portfire_schedule.last_slot bigint
portfire_schedule.last_job uuid
portfire_schedule.created_at bigint NOT NULL
portfire_scheduled.run_at bigint NOT NULL
portfire_scheduled.id uuid NOT NULL
portfire_scheduled.retrying boolean NOT NULL
portfire_server.id uuid NOT NULL
portfire_server.started_at bigint NOT NULL
portfire_server.lease_until bigint NOT NULL
portfire_server.info text NOT NULL
portfire_server.closed_token uuid
portfire_server.ordered text NOT NULL
portfire_slot.schedule text NOT NULL COLLATE C
portfire_slot.at bigint NOT NULL
portfire_slot.fired_at bigint NOT NULL
portfire_slot.fate text NOT NULL
portfire_slot.job uuid
portfire_tag.tag text NOT NULL COLLATE C
portfire_tag.job uuid NOT NULL
portfire_tally.width integer NOT NULL
portfire_tally.at bigint NOT NULL
portfire_tally.shard integer NOT NULL
portfire_tally.kind text NOT NULL COLLATE C
portfire_tally.queue text NOT NULL COLLATE C
portfire_tally.created bigint NOT NULL
portfire_tally.succeeded bigint NOT NULL
portfire_tally.failed bigint NOT NULL
portfire_tally.cancelled bigint NOT NULL
portfire_tally.retried bigint NOT NULL
portfire_tally.crashed bigint NOT NULL
portfire_tally.waited bigint NOT NULL
portfire_tally.ran bigint NOT NULL
portfire_unique_name.kind text NOT NULL COLLATE C
portfire_unique_name.name text NOT NULL COLLATE C
portfire_unique_name.job uuid NOT NULL

CREATE UNIQUE INDEX portfire_attempt_pkey ON SCHEMA.portfire_attempt USING btree (job, seq)
CREATE UNIQUE INDEX portfire_audit_pkey ON SCHEMA.portfire_audit USING btree (id)
CREATE INDEX portfire_audit_prune ON SCHEMA.portfire_audit USING btree (at)
CREATE INDEX portfire_audit_target ON SCHEMA.portfire_audit USING btree (sort, target, id)
CREATE UNIQUE INDEX portfire_awaiting_pkey ON SCHEMA.portfire_awaiting USING btree (id)
CREATE INDEX portfire_dependency_open ON SCHEMA.portfire_dependency USING btree (parent) WHERE (state IS NULL)
CREATE INDEX portfire_dependency_parent ON SCHEMA.portfire_dependency USING btree (parent, child)
CREATE UNIQUE INDEX portfire_dependency_pkey ON SCHEMA.portfire_dependency USING btree (child, "position")
CREATE INDEX portfire_fault_group_latest ON SCHEMA.portfire_fault_group USING btree (last_at, fingerprint)
CREATE INDEX portfire_fault_group_most ON SCHEMA.portfire_fault_group USING btree (count, fingerprint)
CREATE UNIQUE INDEX portfire_fault_group_pkey ON SCHEMA.portfire_fault_group USING btree (fingerprint)
CREATE INDEX portfire_finished_fault ON SCHEMA.portfire_finished USING btree (fingerprint, finished_at, id) WHERE (fingerprint IS NOT NULL)
CREATE INDEX portfire_finished_list ON SCHEMA.portfire_finished USING btree (state, finished_at, id)
CREATE UNIQUE INDEX portfire_finished_pkey ON SCHEMA.portfire_finished USING btree (id)
CREATE INDEX portfire_finished_prune ON SCHEMA.portfire_finished USING btree (prune_at) WHERE (prune_at IS NOT NULL)
CREATE UNIQUE INDEX portfire_job_pkey ON SCHEMA.portfire_job USING btree (id)
CREATE UNIQUE INDEX portfire_left_pkey ON SCHEMA.portfire_left USING btree (server)
CREATE UNIQUE INDEX portfire_log_pkey ON SCHEMA.portfire_log USING btree (job, seq)
CREATE UNIQUE INDEX portfire_paused_queue_pkey ON SCHEMA.portfire_paused_queue USING btree (name)
CREATE UNIQUE INDEX portfire_progress_pkey ON SCHEMA.portfire_progress USING btree (job)
CREATE UNIQUE INDEX portfire_ready_pkey ON SCHEMA.portfire_ready USING btree (queue, priority, run_at, id)
CREATE UNIQUE INDEX portfire_result_pkey ON SCHEMA.portfire_result USING btree (job)
CREATE INDEX portfire_running_cancel ON SCHEMA.portfire_running USING btree (server) WHERE cancel_requested
CREATE UNIQUE INDEX portfire_running_pkey ON SCHEMA.portfire_running USING btree (id)
CREATE INDEX portfire_schedule_due ON SCHEMA.portfire_schedule USING btree (next_at, id) WHERE (next_at IS NOT NULL)
CREATE UNIQUE INDEX portfire_schedule_pkey ON SCHEMA.portfire_schedule USING btree (id)
CREATE INDEX portfire_scheduled_list ON SCHEMA.portfire_scheduled USING btree (retrying, run_at, id)
CREATE UNIQUE INDEX portfire_scheduled_pkey ON SCHEMA.portfire_scheduled USING btree (run_at, id)
CREATE UNIQUE INDEX portfire_server_pkey ON SCHEMA.portfire_server USING btree (id)
CREATE UNIQUE INDEX portfire_slot_pkey ON SCHEMA.portfire_slot USING btree (schedule, at)
CREATE INDEX portfire_tag_job ON SCHEMA.portfire_tag USING btree (job)
CREATE UNIQUE INDEX portfire_tag_pkey ON SCHEMA.portfire_tag USING btree (tag, job)
CREATE UNIQUE INDEX portfire_tally_pkey ON SCHEMA.portfire_tally USING btree (width, at, shard, kind, queue)
CREATE INDEX portfire_tally_shards ON SCHEMA.portfire_tally USING btree (at) WHERE (shard <> 0)
CREATE INDEX portfire_unique_name_job ON SCHEMA.portfire_unique_name USING btree (job)
CREATE UNIQUE INDEX portfire_unique_name_pkey ON SCHEMA.portfire_unique_name USING btree (kind, name)

CREATE OR REPLACE FUNCTION SCHEMA.portfire_claim(handed_in bigint, this_token uuid, this_server uuid, wanted_queues text[], wanted_limits bigint[], from_numbers bigint[], from_priorities bigint[], from_times bigint[], from_ids uuid[], until_priorities bigint[], look_before boolean[], wanted_kinds text[], wanted bigint)
 RETURNS TABLE(place bigint, queue text, id uuid, kind text, args text, policy text, tags text, created_at bigint, attempts integer, crashes integer, parents text, schedule text, slot_at bigint, priority smallint, run_at bigint, flagged uuid, claimed_at bigint, walked bigint)
 LANGUAGE plpgsql
 SET search_path TO 'SCHEMA'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_claim_again(this_token uuid, this_server uuid)
 RETURNS TABLE(place bigint, queue text, id uuid, kind text, args text, policy text, tags text, created_at bigint, attempts integer, crashes integer, parents text, schedule text, slot_at bigint, priority smallint, run_at bigint, flagged uuid, claimed_at bigint, walked bigint)
 LANGUAGE plpgsql
 SET search_path TO 'SCHEMA'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_enqueue(kind text, args jsonb DEFAULT '{}'::jsonb, queue text DEFAULT 'default'::text, priority smallint DEFAULT 0, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, unique_name text DEFAULT NULL::text)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO 'SCHEMA'
AS $function$
#variable_conflict use_column
DECLARE
    now_at bigint := portfire_now(NULL);
    due bigint := greatest(now_at, (extract(epoch FROM portfire_enqueue.run_at) * 1000000)::bigint);
    one_day CONSTANT bigint := 86400000000;
    -- UUIDv7 (RFC 9562): 48 bits of milliseconds before random ones, then the version.
    new_id uuid := encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send(now_at / 1000) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid;
    holder uuid;
BEGIN
    IF octet_length(kind) NOT BETWEEN 1 AND 128 OR octet_length(queue) NOT BETWEEN 1 AND 128
        OR octet_length(unique_name) NOT BETWEEN 1 AND 128 THEN
        RAISE EXCEPTION 'a kind, queue or unique name is empty or longer than 128 bytes'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF octet_length(args::text) > 1048576 THEN
        RAISE EXCEPTION 'the arguments of `%` are longer than 1048576 bytes of JSON; store the data and pass its id', kind
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    WHILE unique_name IS NOT NULL LOOP
        INSERT INTO portfire_unique_name VALUES (kind, unique_name, new_id) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
        SELECT u.job INTO holder FROM portfire_unique_name AS u WHERE u.kind = portfire_enqueue.kind AND u.name = portfire_enqueue.unique_name;
        IF FOUND THEN
            RETURN holder;
        END IF;
    END LOOP;
    INSERT INTO portfire_job (id, kind, queue, priority, run_at, created_at, args, unique_name, has_parents, cancelled_keep)
    VALUES (new_id, kind, queue, priority, due, now_at, args::text, unique_name, false, one_day);
    INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, created)
    VALUES (60, portfire_minute(now_at), portfire_shard(now_at), kind, queue, 1)
    ON CONFLICT ON CONSTRAINT portfire_tally_pkey DO UPDATE SET created = t.created + 1;
    IF due > now_at THEN
        INSERT INTO portfire_scheduled (run_at, id, retrying) VALUES (due, new_id, false);
    ELSE
        INSERT INTO portfire_ready (queue, priority, run_at, id, kind) VALUES (queue, priority, due, new_id, kind);
    END IF;
    RETURN new_id;
END
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_insert(handed_in bigint, may_repeat boolean, these_ids uuid[], these_kinds text[], these_queues text[], these_priorities bigint[], these_times bigint[], these_delays bigint[], these_args text[], these_policies text[], these_names text[], these_tags text[], these_keeps bigint[], these_children uuid[], these_waits bigint[], these_words text[], these_owners uuid[], these_schedules text[], these_slots bigint[])
 RETURNS TABLE(id uuid)
 LANGUAGE plpgsql
 SET search_path TO 'SCHEMA'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_nestloop TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_keep_left()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'SCHEMA'
AS $function$
BEGIN
    -- Not passed by: who is about to take the old row out has to be waited for, and then there is none.
    INSERT INTO portfire_left (server) VALUES (OLD.id) ON CONFLICT (server) DO UPDATE SET server = excluded.server;
    RETURN NULL;
END
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_minute(instant bigint)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
AS $function$
    SELECT instant - instant % 60000000
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_now(handed_in bigint)
 RETURNS bigint
 LANGUAGE sql
 STABLE
AS $function$
    SELECT coalesce(handed_in, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint)
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_parents(waiting uuid)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'SCHEMA'
AS $function$
    SELECT json_agg(json_build_array(d.parent, d.state, d.result) ORDER BY d.position)::text
    FROM portfire_dependency AS d WHERE d.child = waiting
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_place(instant bigint, stored uuid[], these_children uuid[], these_waits bigint[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'SCHEMA'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_nestloop TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_poll(handed_in bigint, wanted_queues text[], from_priorities bigint[], from_times bigint[], from_ids uuid[], until_priorities bigint[], due_times bigint[])
 RETURNS TABLE(stands_before bigint, enqueued boolean, expired boolean, next bigint, next_slot bigint, looked_at bigint, walked bigint)
 LANGUAGE plpgsql
 SET search_path TO 'SCHEMA'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_run_of(of_schedule text, last_job uuid)
 RETURNS uuid
 LANGUAGE sql
 STABLE
 SET search_path TO 'SCHEMA'
AS $function$
    SELECT coalesce((
        SELECT t.job FROM portfire_slot AS t JOIN portfire_job AS j ON j.id = t.job
        WHERE t.schedule = of_schedule AND NOT EXISTS (SELECT 1 FROM portfire_finished AS f WHERE f.id = t.job)
        ORDER BY t.at DESC LIMIT 1), last_job)
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_settle(handed_in bigint, these_jobs uuid[], these_tokens uuid[], these_rescues boolean[], these_states text[], these_finals boolean[], these_delays bigint[], these_results text[], these_attempts bigint[], these_crashes bigint[], these_c_states text[], these_c_finals boolean[], these_c_delays bigint[], these_c_results text[], these_c_attempts bigint[], these_c_crashes bigint[], these_numbers bigint[], these_outcomes text[], these_faults text[], these_turns bigint[], these_retries boolean[], these_fingerprints text[], these_samples text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'SCHEMA'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
    -- Once: for each row, its reckoning costs as much as a look-up.
    instant bigint := portfire_now(handed_in);
BEGIN
    WITH input AS MATERIALIZED (
        SELECT * FROM unnest(these_jobs, these_tokens, these_rescues,
            these_states, these_finals, these_delays, these_results, these_attempts, these_crashes,
            these_c_states, these_c_finals, these_c_delays, these_c_results, these_c_attempts, these_c_crashes,
            these_numbers, these_outcomes, these_faults, these_turns, these_retries, these_fingerprints,
            these_samples) AS i(id, token, only_if_expired,
            state, final, delay, result, attempts, crashes,
            c_state, c_final, c_delay, c_result, c_attempts, c_crashes,
            attempt, outcome, fault, turn, retry, fingerprint, sample)
    ),
    passed AS (
        DELETE FROM portfire_running AS r USING input AS i
        WHERE r.id = ANY (ARRAY[i.id]) AND r.token = i.token AND (NOT i.only_if_expired OR (NOT EXISTS (
                SELECT 1 FROM portfire_server AS s WHERE s.id = r.server AND s.lease_until > instant)
            AND EXISTS (SELECT 1 FROM portfire_running AS h WHERE h.id = i.id FOR UPDATE SKIP LOCKED)))
        RETURNING i.*, r.server, r.started_at, r.cancel_requested AND i.c_state IS NOT NULL AS second
    ),
    settled AS MATERIALIZED (
        SELECT p.id, token, server, started_at, attempt, outcome, fault, turn, sample, only_if_expired AS crash,
            j.kind, j.queue, j.run_at, j.unique_name, retry AND NOT second AS retry,
            CASE WHEN NOT second THEN fingerprint END AS fingerprint,
            CASE WHEN second THEN c_state ELSE state END AS state,
            CASE WHEN second THEN c_final ELSE final END AS final,
            CASE WHEN second THEN c_delay ELSE delay END AS delay,
            CASE WHEN second THEN c_result ELSE result END AS result,
            CASE WHEN second THEN c_attempts ELSE p.attempts END AS attempts,
            CASE WHEN second THEN c_crashes ELSE p.crashes END AS crashes
        FROM passed AS p JOIN portfire_job AS j ON j.id = ANY (ARRAY[p.id])
    ),
    history AS (
        INSERT INTO portfire_attempt (job, seq, attempt, started_at, ended_at, server, outcome, fault)
        SELECT id, coalesce((SELECT max(a.seq) FROM portfire_attempt AS a WHERE a.job = id), 0) + 1,
            attempt, started_at, instant, server, outcome, fault
        FROM settled WHERE outcome IS NOT NULL
    ),
    finished AS (
        INSERT INTO portfire_finished (id, state, finished_at, started_at, token, server, prune_at, fingerprint)
        SELECT id, state, instant, started_at, token, server, instant + delay, fingerprint
        FROM settled WHERE final
    ),
    counted AS (
        INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, succeeded, failed, cancelled, retried, crashed, waited, ran)
        SELECT 60, portfire_minute(instant), portfire_shard(instant), s.kind, s.queue,
            count(*) FILTER (WHERE s.state = 'succeeded'), count(*) FILTER (WHERE s.state = 'failed'),
            count(*) FILTER (WHERE s.state = 'cancelled'), count(*) FILTER (WHERE s.retry), count(*) FILTER (WHERE s.crash),
            coalesce(sum(greatest(s.started_at - s.run_at, 0)) FILTER (WHERE s.state IN ('succeeded', 'failed')), 0)::bigint,
            coalesce(sum(greatest(instant - s.started_at, 0)) FILTER (WHERE s.state IN ('succeeded', 'failed')), 0)::bigint
        FROM settled AS s WHERE s.final OR s.retry OR s.crash GROUP BY s.kind, s.queue
        ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET succeeded = t.succeeded + excluded.succeeded,
            failed = t.failed + excluded.failed, cancelled = t.cancelled + excluded.cancelled,
            retried = t.retried + excluded.retried, crashed = t.crashed + excluded.crashed,
            waited = t.waited + excluded.waited, ran = t.ran + excluded.ran
    ),
    -- In order, so that two servers cannot wait for each other's groups.
    groups AS (
        INSERT INTO portfire_fault_group AS g (fingerprint, kind, sample, first_at, last_at, count, last_job)
        SELECT s.fingerprint, min(s.kind), (array_agg(s.sample ORDER BY s.turn))[1], instant,
            instant, count(*), (array_agg(s.id ORDER BY s.turn DESC))[1]
        FROM settled AS s
        WHERE s.fingerprint IS NOT NULL GROUP BY s.fingerprint ORDER BY s.fingerprint
        ON CONFLICT (fingerprint) DO UPDATE SET last_at = excluded.last_at, count = g.count + excluded.count,
            last_job = excluded.last_job
    ),
    results AS (
        INSERT INTO portfire_result AS r (job, result) SELECT id, result FROM settled WHERE final AND result IS NOT NULL
        ON CONFLICT (job) DO UPDATE SET result = excluded.result
    ),
    names AS (
        DELETE FROM portfire_unique_name AS u USING settled AS s
        WHERE s.final AND s.unique_name IS NOT NULL AND u.job = ANY (ARRAY[s.id])
    ),
    -- A success is not written back to the body: its attempt was one more than those charged before.
    body AS (
        UPDATE portfire_job AS j SET attempts = s.attempts, crashes = s.crashes,
            run_at = CASE WHEN s.final THEN j.run_at ELSE instant + s.delay END,
            last_token = CASE WHEN s.final THEN j.last_token ELSE s.token END,
            last_state = CASE WHEN s.final THEN j.last_state ELSE s.state END
        FROM settled AS s WHERE j.id = ANY (ARRAY[s.id]) AND NOT (s.final AND s.state = 'succeeded')
        RETURNING j.id, j.queue, j.priority, j.run_at, j.kind, s.state, s.final
    ),
    ready AS (
        INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
        SELECT queue, priority, run_at, id, kind FROM body WHERE NOT final AND state = 'enqueued'
    )
    INSERT INTO portfire_scheduled (run_at, id, retrying)
    SELECT run_at, id, state = 'retrying' FROM body WHERE NOT final AND state <> 'enqueued';
END
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_settle_in(handed_in bigint, these_jobs uuid[], these_tokens uuid[], these_rescues boolean[], these_states text[], these_finals boolean[], these_delays bigint[], these_results text[], these_attempts bigint[], these_crashes bigint[], these_c_states text[], these_c_finals boolean[], these_c_delays bigint[], these_c_results text[], these_c_attempts bigint[], these_c_crashes bigint[], these_numbers bigint[], these_outcomes text[], these_faults text[], these_turns bigint[], these_retries boolean[], these_fingerprints text[], these_samples text[], table_on text[], table_state text[], table_verdict text[], final_states text[])
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'SCHEMA'
AS $function$
DECLARE
    came_to text;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'a job is settled in a transaction that is READ COMMITTED, and this one is %',
            upper(current_setting('transaction_isolation')) USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM portfire_settle(handed_in, these_jobs, these_tokens, these_rescues, these_states, these_finals,
        these_delays, these_results, these_attempts, these_crashes, these_c_states, these_c_finals,
        these_c_delays, these_c_results, these_c_attempts, these_c_crashes, these_numbers, these_outcomes,
        these_faults, these_turns, these_retries, these_fingerprints, these_samples);
    SELECT s.state INTO came_to FROM portfire_settled(handed_in, these_jobs, these_tokens, table_on, table_state,
        table_verdict, final_states) AS s;
    RETURN came_to;
END
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_settled(handed_in bigint, these_jobs uuid[], these_tokens uuid[], table_on text[], table_state text[], table_verdict text[], final_states text[])
 RETURNS TABLE(state text, enqueued boolean)
 LANGUAGE plpgsql
 SET search_path TO 'SCHEMA'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH answer AS MATERIALIZED (
        SELECT i.n, i.id, coalesce(
            (SELECT f.state FROM portfire_finished AS f WHERE f.id = i.id AND f.token = i.token),
            (SELECT j.last_state FROM portfire_job AS j WHERE j.id = i.id AND j.last_token = i.token
                AND NOT EXISTS (SELECT 1 FROM portfire_running AS r WHERE r.id = i.id)
                AND NOT EXISTS (SELECT 1 FROM portfire_finished AS f WHERE f.id = i.id AND f.token IS NOT NULL))) AS state
        FROM unnest(these_jobs, these_tokens) WITH ORDINALITY AS i(id, token, n)
    ),
    told AS MATERIALIZED (
        SELECT portfire_tell_children(portfire_now(handed_in), array_agg(id), array_agg(state), table_on, table_state, table_verdict)
            AS enqueued
        FROM answer WHERE state = ANY (final_states)
    )
    SELECT answer.state, told.enqueued FROM answer CROSS JOIN told ORDER BY answer.n;
END
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_shard(instant bigint)
 RETURNS integer
 LANGUAGE sql
 STABLE
AS $function$
    SELECT (pg_backend_pid() & 16777215) * 64 + (instant % 60000000 / 1000000)::integer
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_state_of(job uuid)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'SCHEMA'
AS $function$
    SELECT CASE
        WHEN EXISTS (SELECT 1 FROM portfire_running AS x WHERE x.id = j.id) THEN 'processing'
        WHEN EXISTS (SELECT 1 FROM portfire_awaiting AS a WHERE a.id = j.id) THEN 'awaiting'
        ELSE coalesce(
            (SELECT f.state FROM portfire_finished AS f WHERE f.id = j.id),
            (SELECT CASE WHEN s.retrying THEN 'retrying' ELSE 'scheduled' END
                FROM portfire_scheduled AS s WHERE s.run_at = j.run_at AND s.id = j.id),
            'enqueued')
        END
    FROM portfire_job AS j WHERE j.id = job
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_succeed(handed_in bigint, these_jobs uuid[], these_tokens uuid[], these_firsts bigint[], these_lasts bigint[], these_keeps bigint[], these_results text[], table_on text[], table_state text[], table_verdict text[], final_states text[])
 RETURNS TABLE(state text, enqueued boolean)
 LANGUAGE plpgsql
 SET search_path TO 'SCHEMA'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
    instant bigint := portfire_now(handed_in);
    ended bigint;
BEGIN
    WITH passed AS (
        DELETE FROM portfire_running AS r USING unnest(these_firsts, these_lasts, these_keeps, these_results)
            AS i(first, last, keep, result)
        WHERE r.id = ANY (these_jobs[i.first:i.last]) AND r.token = these_tokens[i.first]
        RETURNING r.id, r.token, r.server, r.started_at, r.kind, r.queue, r.run_at, r.is_unique, i.keep, i.result
    ),
    finished AS (
        INSERT INTO portfire_finished (id, state, finished_at, started_at, token, server, prune_at)
        SELECT id, 'succeeded', instant, started_at, token, server, instant + keep FROM passed
    ),
    results AS (
        INSERT INTO portfire_result AS r (job, result) SELECT id, result FROM passed WHERE result IS NOT NULL
        ON CONFLICT (job) DO UPDATE SET result = excluded.result
    ),
    names AS (
        DELETE FROM portfire_unique_name AS u USING passed AS p WHERE p.is_unique AND u.job = ANY (ARRAY[p.id])
    ),
    counts AS (
        SELECT kind, queue, count(*) AS succeeded, sum(greatest(started_at - run_at, 0))::bigint AS waited,
            sum(greatest(instant - started_at, 0))::bigint AS ran
        FROM passed GROUP BY kind, queue
    ),
    counted AS (
        INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, succeeded, waited, ran)
        SELECT 60, portfire_minute(instant), portfire_shard(instant), kind, queue, succeeded, waited, ran FROM counts
        ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET succeeded = t.succeeded + excluded.succeeded,
            waited = t.waited + excluded.waited, ran = t.ran + excluded.ran
    )
    SELECT sum(succeeded) INTO ended FROM counts;

    IF ended = cardinality(these_jobs) AND NOT EXISTS (
        SELECT 1 FROM portfire_dependency AS d WHERE d.parent = ANY (these_jobs) AND d.state IS NULL) THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM portfire_settled(handed_in, these_jobs, these_tokens, table_on, table_state,
        table_verdict, final_states);
END
$function$

CREATE OR REPLACE FUNCTION SCHEMA.portfire_tell_children(now_at bigint, ended uuid[], states text[], table_on text[], table_state text[], table_verdict text[])
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'SCHEMA'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
DECLARE
    satisfied uuid[];
    impossible uuid[];
    enqueued boolean := false;
    level_enqueued boolean;
BEGIN
    LOOP
        IF NOT EXISTS (SELECT 1 FROM portfire_dependency AS d WHERE d.parent = ANY (ended) AND d.state IS NULL) THEN
            RETURN enqueued;
        END IF;

        WITH verdicts AS (SELECT * FROM unnest(table_on, table_state, table_verdict) AS v(on_end, state, verdict)),
        parents AS (SELECT * FROM unnest(ended, states) AS p(id, state)),
        decided AS (
            UPDATE portfire_dependency AS d SET state = coalesce(p.state, 'cancelled'),
                result = (SELECT r.result FROM portfire_result AS r WHERE r.job = p.id)
            FROM parents AS p JOIN verdicts AS v ON v.state IS NOT DISTINCT FROM p.state
            WHERE d.parent = ANY (ARRAY[p.id]) AND d.state IS NULL AND d.on_end = v.on_end
            RETURNING d.child, v.verdict
        )
        SELECT array_agg(child ORDER BY child) FILTER (WHERE verdict = 'satisfied'),
            array_agg(DISTINCT child) FILTER (WHERE verdict = 'impossible')
        INTO satisfied, impossible FROM decided;

        WITH gone AS (DELETE FROM portfire_awaiting WHERE id = ANY (impossible) RETURNING id),
        names AS (DELETE FROM portfire_unique_name AS u USING gone WHERE u.job = ANY (ARRAY[gone.id])),
        finished AS (
            INSERT INTO portfire_finished (id, state, finished_at, prune_at)
            SELECT j.id, 'cancelled', now_at, now_at + j.cancelled_keep FROM gone JOIN portfire_job AS j ON j.id = ANY (ARRAY[gone.id])
        ),
        counted AS (
            INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, cancelled)
            SELECT 60, portfire_minute(now_at), portfire_shard(now_at), j.kind, j.queue, count(*)
            FROM gone JOIN portfire_job AS j ON j.id = ANY (ARRAY[gone.id]) GROUP BY j.kind, j.queue
            ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET cancelled = t.cancelled + excluded.cancelled
        )
        SELECT array_agg(id ORDER BY id) INTO ended FROM gone;

        UPDATE portfire_awaiting AS a SET waiting_for = a.waiting_for - s.times
        FROM (SELECT child, count(*)::integer AS times FROM unnest(satisfied) AS c(child) GROUP BY child) AS s
        WHERE a.id = ANY (ARRAY[s.child]);

        WITH freed AS (
            DELETE FROM portfire_awaiting WHERE id = ANY (satisfied) AND waiting_for <= 0 RETURNING id
        ),
        -- A job for at once, stored by a transaction that began after this one, is not one for later.
        moved AS (
            UPDATE portfire_job AS j SET run_at = greatest(j.run_at, now_at) FROM freed WHERE j.id = ANY (ARRAY[freed.id])
            RETURNING j.queue, j.priority, j.run_at, j.id, j.kind, j.run_at <= greatest(now_at, j.created_at) AS due
        ),
        later AS (
            INSERT INTO portfire_scheduled (run_at, id, retrying)
            SELECT run_at, id, false FROM moved WHERE NOT due
        ),
        ready AS (
            INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
            SELECT queue, priority, run_at, id, kind FROM moved WHERE due
            RETURNING id
        )
        SELECT EXISTS (SELECT 1 FROM ready) INTO level_enqueued;

        enqueued := enqueued OR level_enqueued;
        IF ended IS NULL THEN
            RETURN enqueued;
        END IF;
        states := array_fill('cancelled'::text, ARRAY[cardinality(ended)]);
    END LOOP;
END
$function$

