-- What a server says and hears in an exchange (the claim is in the next step). Functions, because their plans are kept by the database's own
-- session, whoever shares it, and are pinned by their settings: from index to index by nested loops, which is
-- right for sets of some hundreds against tables of any size, and stays right when a table was empty while its
-- plan was made. Statements that are planned anew cost two milliseconds of processor time an exchange.
-- What they look up they look up by `id = ANY (ARRAY[i.id])`, which can only be answered from the set's side. Told by a
-- vacuum that nothing is in the table, a plan of `id = i.id` begins at that side, and reads its whole index for each set:
-- beside an old transaction that is all that was ever there, 140 ms for a million rows that are gone.

-- The fence and all that follows from it, for a set in the order of its ids: only the claim that holds a job
-- may settle it, and its row is gone with that. A rescue repeats its whole reason, and passes a job by that is
-- held: its handler may be settling it in a transaction of the application, however long that takes. Of the
-- two targets, the second counts if somebody asked to cancel. The answers are read by `settled`, which also serves repeats.
-- What happened is counted, and failures join their groups; the tables for that come with the statistics.
CREATE FUNCTION portfire_settle(
    handed_in bigint, these_jobs uuid[], these_tokens uuid[], these_rescues bool[], these_states text[],
    these_finals bool[], these_delays bigint[], these_results text[], these_attempts bigint[],
    these_crashes bigint[], these_c_states text[], these_c_finals bool[], these_c_delays bigint[],
    these_c_results text[], these_c_attempts bigint[], these_c_crashes bigint[], these_numbers bigint[],
    these_outcomes text[], these_faults text[], these_turns bigint[], these_retries bool[],
    these_fingerprints text[], these_samples text[]
) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
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
$$;

-- What each settlement came to, now or when this token settled it before; and the fate of those who wait
-- for the jobs that ended. A job that runs again, or that a later claim has ended, has lost the token.
CREATE FUNCTION portfire_settled(
    handed_in bigint, these_jobs uuid[], these_tokens uuid[], table_on text[], table_state text[],
    table_verdict text[], final_states text[]
) RETURNS TABLE (state text, enqueued boolean) LANGUAGE plpgsql
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
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
$$;

-- Jobs that succeeded, which is what nearly all do: as `portfire_settle`, with no more than that takes, and with
-- `portfire_settled` at the end. Each list that is unpicked costs a row as much as an index, and there are 22 there. Here
-- jobs that lie beside each other and have token and keep in common are one row, a run from `first` to `last`: all of
-- it is one walk over the index, in which a job costs 0.85 µs less of 9.3. One with a result is a run of its own.
-- Answers nothing if all came to what is asked, and a row for each otherwise, or if somebody waits for one.
CREATE FUNCTION portfire_succeed(
    handed_in bigint, these_jobs uuid[], these_tokens uuid[], these_firsts bigint[], these_lasts bigint[],
    these_keeps bigint[], these_results text[], table_on text[], table_state text[], table_verdict text[],
    final_states text[]
) RETURNS TABLE (state text, enqueued boolean) LANGUAGE plpgsql
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
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
$$;

-- Both for one job, in a transaction of the application: what it came to, or null if the token has lost it.
-- Each statement in here sees what was committed before it began, but only in READ COMMITTED: otherwise a child
-- that was attached to the job since the transaction began would not be seen, and wait for ever.
CREATE FUNCTION portfire_settle_in(
    handed_in bigint, these_jobs uuid[], these_tokens uuid[], these_rescues bool[], these_states text[],
    these_finals bool[], these_delays bigint[], these_results text[], these_attempts bigint[],
    these_crashes bigint[], these_c_states text[], these_c_finals bool[], these_c_delays bigint[],
    these_c_results text[], these_c_attempts bigint[], these_c_crashes bigint[], these_numbers bigint[],
    these_outcomes text[], these_faults text[], these_turns bigint[], these_retries bool[],
    these_fingerprints text[], these_samples text[], table_on text[], table_state text[],
    table_verdict text[], final_states text[]
) RETURNS text LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
$$;
