-- A database as it is after a long time: $jobs jobs, most of them ended, and much of everything beside them. By
-- statements for whole tables, so that millions take minutes. What is rare is the oldest, so that a search for it
-- comes by everything else: the kind `rare`, the tag `rare`, and the error `needle`. The last job has many
-- children and a long log.
CREATE FUNCTION pg_temp.job(n numeric) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT ('01990000-0000-7000-8000-' || lpad(to_hex(n::bigint), 12, '0'))::uuid
$$;
CREATE TEMP TABLE present AS SELECT portfire_now(NULL) AS now;

INSERT INTO portfire_job (id, kind, queue, priority, run_at, created_at, args, tags, has_parents, attempts)
SELECT pg_temp.job(n), CASE WHEN n = 1 THEN 'rare' ELSE 'kind_' || n % 8 END,
    CASE WHEN n % 10 < 6 THEN 'default' ELSE 'queue_' || n % 4 END, n % 3,
    CASE WHEN n > 0.90 * $jobs AND n <= 0.96 * $jobs THEN now + n * 1000 ELSE now - ($jobs - n) * 10000 END,
    now - ($jobs - n) * 10000, '{"user_id":' || n || '}',
    CASE WHEN n = 1 THEN '["rare"]' WHEN n % 10 = 0 THEN '["common"]' END,
    n > 0.96 * $jobs AND n <= 0.98 * $jobs, CASE WHEN n > 0.70 * $jobs AND n <= 0.76 * $jobs THEN 1 ELSE 0 END
FROM generate_series(1, $jobs::bigint) AS n, present;

INSERT INTO portfire_finished (id, state, finished_at, started_at, server, prune_at, fingerprint)
SELECT pg_temp.job(n),
    CASE WHEN n = 1 OR n > 0.76 * $jobs THEN 'cancelled' WHEN n > 0.70 * $jobs OR n = 2 THEN 'failed' ELSE 'succeeded' END,
    now - ($jobs - n) * 10000 + 500000, now - ($jobs - n) * 10000 + 100000, pg_temp.job(n % 20), now + n * 1000000,
    CASE WHEN n = 2 OR (n > 0.70 * $jobs AND n <= 0.76 * $jobs)
        THEN lpad(to_hex(CASE WHEN n % 2 = 0 THEN 0 ELSE n % 300 END), 16, '0') END
FROM generate_series(1, (0.80 * $jobs)::bigint) AS n, present;

INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
SELECT queue, priority, run_at, id, kind FROM portfire_job
WHERE id > pg_temp.job(0.80 * $jobs) AND id <= pg_temp.job(0.90 * $jobs);
INSERT INTO portfire_scheduled (run_at, id, retrying)
SELECT run_at, id, id > pg_temp.job(0.94 * $jobs) FROM portfire_job
WHERE id > pg_temp.job(0.90 * $jobs) AND id <= pg_temp.job(0.96 * $jobs);
INSERT INTO portfire_awaiting (id, waiting_for)
SELECT id, 1 FROM portfire_job WHERE id > pg_temp.job(0.96 * $jobs) AND id <= pg_temp.job(0.98 * $jobs);
INSERT INTO portfire_dependency (child, position, parent, on_end)
SELECT id, 1, pg_temp.job($jobs), 'success' FROM portfire_awaiting;
INSERT INTO portfire_running (id, token, place, server, attempt, started_at, cancel_requested, kind, queue, run_at,
    is_unique)
SELECT id, id, 1, pg_temp.job(1), 1, created_at, false, kind, queue, run_at, false FROM portfire_job WHERE id > pg_temp.job(0.98 * $jobs);

INSERT INTO portfire_attempt (job, seq, attempt, started_at, ended_at, server, outcome, fault)
SELECT id, 1, 1, created_at, created_at + 400000, pg_temp.job(1), 'failed',
    CASE WHEN id = pg_temp.job(2) THEN 'needle' ELSE 'the payment service answered 503' END
FROM portfire_job
WHERE id = pg_temp.job(2) OR (id > pg_temp.job(0.70 * $jobs) AND id <= pg_temp.job(0.76 * $jobs))
    OR (id > pg_temp.job(0.94 * $jobs) AND id <= pg_temp.job(0.96 * $jobs));
INSERT INTO portfire_tag (tag, job)
SELECT CASE WHEN n = 1 THEN 'rare' ELSE 'common' END, pg_temp.job(n)
FROM generate_series(1, $jobs::bigint) AS n WHERE n = 1 OR n % 10 = 0;
INSERT INTO portfire_log (job, seq, attempt, at, text)
SELECT pg_temp.job($jobs), n, 1, now + n, 'row ' || n FROM generate_series(1, 10000) AS n, present;

INSERT INTO portfire_fault_group (fingerprint, kind, sample, first_at, last_at, count, last_job)
SELECT lpad(to_hex(n), 16, '0'), 'kind_' || n % 8, 'the payment service answered 503', now - n, now - n * 1000, 1000 + n,
    pg_temp.job(0.76 * $jobs) FROM generate_series(0, 299) AS n, present;
INSERT INTO portfire_tally (width, at, shard, kind, queue, created, succeeded, failed, waited, ran)
SELECT width, at - at % (width * 1000000::bigint) - n * width * 1000000::bigint, 0, 'kind_' || kind, 'queue_' || queue, 9, 8, 1, 9, 9
FROM present, LATERAL (VALUES (60, now, 1559), (3600, now - 26 * 3600000000::bigint, 741),
        (86400, now - 32 * 86400000000::bigint, 367)) AS w(width, at, count),
    generate_series(0, count) AS n, generate_series(0, 7) AS kind, generate_series(0, 2) AS queue;
INSERT INTO portfire_audit (at, sort, target, action, actor, via, outcome)
SELECT now - ($jobs - n), 'job', pg_temp.job(n - n % 1000)::text, 'cancel', 'ann', 'api', 'done'
FROM generate_series(1, (0.10 * $jobs)::bigint) AS n, present;
INSERT INTO portfire_schedule (id, cron, zone, definition, revision, next_at, created_at)
SELECT 'schedule ' || lpad(n::text, 5, '0'), '* * * * *', 'UTC', 
    '{"misfire":"Once","overlap":"Skip","kind":"kind_0","queue":"default","priority":0,"args":"{}","policy":{},"tags":[]}', 1,
    now + n * 1000000, now FROM generate_series(1, 1000) AS n, present;
INSERT INTO portfire_slot (schedule, at, fired_at, fate, job)
SELECT 'schedule ' || lpad(s::text, 5, '0'), now - n * 60000000::bigint, now - n * 60000000::bigint, 'fired', pg_temp.job(s * 100 + n)
FROM generate_series(1, 1000) AS s, generate_series(1, 100) AS n, present;
INSERT INTO portfire_server (id, started_at, lease_until, info)
SELECT pg_temp.job(n), now, now + 3600000000::bigint, '{"name":"server","host":"h","build":"","pid":1,"queues":["default"],"slots":8,"running":8}'
FROM generate_series(0, 19) AS n, present;
DROP TABLE present;
ANALYZE portfire_job, portfire_finished, portfire_ready, portfire_scheduled, portfire_awaiting, portfire_dependency,
    portfire_running, portfire_attempt, portfire_tag, portfire_log, portfire_fault_group, portfire_tally, portfire_audit,
    portfire_schedule, portfire_slot, portfire_server;
