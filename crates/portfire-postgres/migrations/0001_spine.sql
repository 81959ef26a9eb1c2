-- The tables of a job's life, by temperature: the body is written once; `ready` and `running` are tiny
-- and turn over with every job; `finished` is append-mostly. A job is in exactly one of ready,
-- scheduled, awaiting, running and finished, and that is its state. Times are microseconds UTC.
-- Text that is compared or sorted is so by its bytes, as on every other database.

-- The body: what was asked, and the counts that outlive an attempt. `cancelled_keep` is how long the job
-- is kept if its parent's end cancels it, which no client is there to decide; null is for ever.
CREATE TABLE portfire_job (
    id uuid NOT NULL PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    queue text COLLATE "C" NOT NULL,
    priority smallint NOT NULL,
    run_at bigint NOT NULL,
    created_at bigint NOT NULL,
    args text NOT NULL,
    policy text,
    unique_name text COLLATE "C",
    tags text,
    has_parents boolean NOT NULL,
    cancelled_keep bigint,
    attempts integer NOT NULL DEFAULT 0,
    crashes integer NOT NULL DEFAULT 0,
    last_token uuid,
    last_state text
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- Enqueued jobs. The primary key is the claim order, so a claim reads from its head.
CREATE TABLE portfire_ready (
    queue text COLLATE "C" NOT NULL,
    priority smallint NOT NULL,
    run_at bigint NOT NULL,
    id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    PRIMARY KEY (queue, priority, run_at, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

-- Jobs that wait for a time. `retrying` is true after a failed attempt.
CREATE TABLE portfire_scheduled (
    run_at bigint NOT NULL,
    id uuid NOT NULL,
    retrying boolean NOT NULL,
    PRIMARY KEY (run_at, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- Jobs that wait for others, and how many.
CREATE TABLE portfire_awaiting (
    id uuid NOT NULL PRIMARY KEY,
    waiting_for integer NOT NULL
);

-- Jobs that a server holds. Deleting from here, guarded by the token, is the fence of a settlement.
-- `place` counts within a claim. What a success needs of the body stands here too, since looking it up
-- there costs as much as the fence: what is counted, and whether it has a unique name to let go.
CREATE TABLE portfire_running (
    id uuid NOT NULL PRIMARY KEY,
    token uuid NOT NULL,
    place integer NOT NULL,
    server uuid NOT NULL,
    attempt integer NOT NULL,
    started_at bigint NOT NULL,
    cancel_requested boolean NOT NULL,
    kind text COLLATE "C" NOT NULL,
    queue text COLLATE "C" NOT NULL,
    run_at bigint NOT NULL,
    is_unique boolean NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX portfire_running_cancel ON portfire_running (server) WHERE cancel_requested;

-- Jobs that ended. `prune_at` is null for those kept until somebody deletes them.
CREATE TABLE portfire_finished (
    id uuid NOT NULL PRIMARY KEY,
    state text COLLATE "C" NOT NULL,
    finished_at bigint NOT NULL,
    started_at bigint,
    token uuid,
    server uuid,
    prune_at bigint
);
CREATE INDEX portfire_finished_list ON portfire_finished (state, finished_at, id);
CREATE INDEX portfire_finished_prune ON portfire_finished (prune_at) WHERE prune_at IS NOT NULL;

-- Attempts that did not succeed, in the order in which they were settled.
CREATE TABLE portfire_attempt (
    job uuid NOT NULL,
    seq integer NOT NULL,
    attempt integer NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    server uuid NOT NULL,
    outcome text NOT NULL,
    fault text,
    PRIMARY KEY (job, seq)
);

CREATE TABLE portfire_result (
    job uuid NOT NULL PRIMARY KEY,
    result text NOT NULL
);

-- Unique names of jobs that have not ended.
CREATE TABLE portfire_unique_name (
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    job uuid NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE INDEX portfire_unique_name_job ON portfire_unique_name (job);

-- Who waits for whom; once decided, a copy of what the parent came to, so that it outlives the parent.
CREATE TABLE portfire_dependency (
    child uuid NOT NULL,
    position integer NOT NULL,
    parent uuid NOT NULL,
    on_end text COLLATE "C" NOT NULL,
    state text COLLATE "C",
    result text,
    PRIMARY KEY (child, position)
);
CREATE INDEX portfire_dependency_parent ON portfire_dependency (parent, child);
CREATE INDEX portfire_dependency_open ON portfire_dependency (parent) WHERE state IS NULL;

CREATE TABLE portfire_tag (
    tag text COLLATE "C" NOT NULL,
    job uuid NOT NULL,
    PRIMARY KEY (tag, job)
);
CREATE INDEX portfire_tag_job ON portfire_tag (job);

CREATE TABLE portfire_progress (
    job uuid NOT NULL PRIMARY KEY,
    done bigint NOT NULL,
    total bigint,
    message text
);

CREATE TABLE portfire_log (
    job uuid NOT NULL,
    seq integer NOT NULL,
    attempt integer NOT NULL,
    at bigint NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (job, seq)
);

-- Claims with the closed token, and with those before it, take nothing more.
CREATE TABLE portfire_server (
    id uuid NOT NULL PRIMARY KEY,
    started_at bigint NOT NULL,
    lease_until bigint NOT NULL,
    info text NOT NULL,
    closed_token uuid
);

-- Servers whose row is gone and that may hold jobs: a trigger puts in whoever goes, by whatever hand, and only who is
-- known to hold nothing is taken out. So to find jobs that nobody holds any more only these have to be looked at, and
-- servers whose lease is over, but not all that run: most of the time that is nobody.
CREATE TABLE portfire_left (
    server uuid NOT NULL PRIMARY KEY
);

CREATE FUNCTION portfire_keep_left() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    -- Not passed by: who is about to take the old row out has to be waited for, and then there is none.
    INSERT INTO portfire_left (server) VALUES (OLD.id) ON CONFLICT (server) DO UPDATE SET server = excluded.server;
    RETURN NULL;
END
$$;
CREATE TRIGGER portfire_server_left AFTER DELETE ON portfire_server FOR EACH ROW EXECUTE FUNCTION portfire_keep_left();

-- The instant that counts: the one handed in (tests travel in time), else the database's own, which
-- stands still within a statement.
CREATE FUNCTION portfire_now(handed_in bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(handed_in, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint)
$$;

-- Settles the fate of the jobs that wait for `ended` ones; a null state says that one was deleted.
-- What each end means for each wish is decided by the caller: the three lists are its table, in which a
-- pair that is absent goes on waiting. Children that are cancelled settle the fate of their own, a level
-- at a time, and are counted. Answers whether a job became ready.
CREATE FUNCTION portfire_tell_children(
    now_at bigint, ended uuid[], states text[], table_on text[], table_state text[], table_verdict text[]
) RETURNS boolean LANGUAGE plpgsql
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
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
$$;

-- Enqueues a job from SQL: from triggers, and from programs in other languages. Answers its id, or the id
-- of the job that has its unique name. Servers find it by polling. A null `run_at` means at once.
CREATE FUNCTION portfire_enqueue(
    kind text,
    args jsonb DEFAULT '{}',
    queue text DEFAULT 'default',
    priority smallint DEFAULT 0,
    run_at timestamptz DEFAULT NULL,
    unique_name text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
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
$$;
