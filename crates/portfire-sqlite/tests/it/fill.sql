-- A database as it is after a long time: $jobs jobs, most of them ended, and much of everything beside them; the
-- same as for PostgreSQL. What is rare is the oldest, so that a search for it comes by everything else: the kind
-- `rare`, the tag `rare`, and the error `needle`. The last job has many children and a long log.
BEGIN;
CREATE TEMP TABLE number (n INTEGER PRIMARY KEY, id BLOB, at INTEGER, now INTEGER);
WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < $jobs),
    present(now) AS (SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER))
INSERT INTO number SELECT n, unhex(printf('01990000000070008000%012x', n)), now - ($jobs - n) * 10000, now FROM series, present;

INSERT INTO portfire_job (id, kind, queue, priority, run_at, created_at, args, tags, has_parents, attempts, crashes)
SELECT id, CASE WHEN n = 1 THEN 'rare' ELSE 'kind_' || n % 8 END,
    CASE WHEN n % 10 < 6 THEN 'default' ELSE 'queue_' || n % 4 END, n % 3,
    CASE WHEN n > 0.90 * $jobs AND n <= 0.96 * $jobs THEN now + n * 1000 ELSE at END, at, '{"user_id":' || n || '}',
    CASE WHEN n = 1 THEN '["rare"]' WHEN n % 10 = 0 THEN '["common"]' END,
    n > 0.96 * $jobs AND n <= 0.98 * $jobs, n > 0.70 * $jobs AND n <= 0.76 * $jobs, 0
FROM number;
INSERT INTO portfire_finished (id, state, finished_at, started_at, server, prune_at, fingerprint)
SELECT id,
    CASE WHEN n = 1 OR n > 0.76 * $jobs THEN 'cancelled' WHEN n > 0.70 * $jobs OR n = 2 THEN 'failed' ELSE 'succeeded' END,
    at + 500000, at + 100000, id, now + n * 1000000,
    CASE WHEN n = 2 OR (n > 0.70 * $jobs AND n <= 0.76 * $jobs)
        THEN printf('%016x', CASE WHEN n % 2 = 0 THEN 0 ELSE n % 300 END) END
FROM number WHERE n <= 0.80 * $jobs;

INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
SELECT j.queue, j.priority, j.run_at, j.id, j.kind FROM number JOIN portfire_job AS j ON j.id = number.id
WHERE n > 0.80 * $jobs AND n <= 0.90 * $jobs;
INSERT INTO portfire_scheduled (run_at, id, retrying)
SELECT now + n * 1000, id, n > 0.94 * $jobs FROM number WHERE n > 0.90 * $jobs AND n <= 0.96 * $jobs;
INSERT INTO portfire_awaiting (id, waiting_for) SELECT id, 1 FROM number WHERE n > 0.96 * $jobs AND n <= 0.98 * $jobs;
INSERT INTO portfire_dependency (child, position, parent, on_end)
SELECT id, 1, (SELECT id FROM number WHERE n = $jobs), 'success' FROM portfire_awaiting;
INSERT INTO portfire_running (id, token, server, attempt, started_at, cancel_requested)
SELECT id, id, id, 1, at, 0 FROM number WHERE n > 0.98 * $jobs;

INSERT INTO portfire_attempt (job, seq, attempt, started_at, ended_at, server, outcome, fault)
SELECT id, 1, 1, at, at + 400000, id, 'failed', CASE WHEN n = 2 THEN 'needle' ELSE 'the payment service answered 503' END
FROM number WHERE n = 2 OR (n > 0.70 * $jobs AND n <= 0.76 * $jobs) OR (n > 0.94 * $jobs AND n <= 0.96 * $jobs);
INSERT INTO portfire_tag (tag, job)
SELECT CASE WHEN n = 1 THEN 'rare' ELSE 'common' END, id FROM number WHERE n = 1 OR n % 10 = 0;
INSERT INTO portfire_log (job, seq, attempt, at, text)
SELECT (SELECT id FROM number WHERE n = $jobs), n, 1, now + n, 'row ' || n FROM number WHERE n <= 10000;

INSERT INTO portfire_fault_group (fingerprint, kind, sample, first_at, last_at, count, last_job)
SELECT printf('%016x', n - 1), 'kind_' || n % 8, 'the payment service answered 503', now - n, now - n * 1000, 1000 + n,
    id FROM number WHERE n <= 300;
INSERT INTO portfire_tally (width, at, kind, queue, created, succeeded, failed, cancelled, retried, crashed, waited, ran)
SELECT width, begin - begin % (width * 1000000) - n.n * width * 1000000, 'kind_' || kind.n, 'queue_' || queue.n, 9, 8, 1, 0, 0, 0, 9, 9
FROM (SELECT 60 AS width, 1560 AS count, now AS begin FROM number WHERE n = 1
    UNION ALL SELECT 3600, 742, now - 26 * 3600000000 FROM number WHERE n = 1
    UNION ALL SELECT 86400, 368, now - 32 * 86400000000 FROM number WHERE n = 1) AS w
JOIN number AS n ON n.n <= count JOIN number AS kind ON kind.n <= 8 JOIN number AS queue ON queue.n <= 3;
INSERT INTO portfire_audit (at, sort, target, action, actor, via, outcome)
SELECT at, 'job', '01990000-0000-7000-8000-' || printf('%012x', n - n % 1000), 'cancel', 'ann', 'api', 'done'
FROM number WHERE n <= 0.10 * $jobs;
INSERT INTO portfire_schedule (id, cron, zone, definition, revision, next_at, created_at)
SELECT 'schedule ' || printf('%05d', n), '* * * * *', 'UTC',
    '{"misfire":"Once","overlap":"Skip","kind":"kind_0","queue":"default","priority":0,"args":"{}","policy":{},"tags":[]}', 1,
    now + n * 1000000, now FROM number WHERE n <= 1000;
INSERT INTO portfire_slot (schedule, at, fired_at, fate, job)
SELECT 'schedule ' || printf('%05d', s.n), s.now - n.n * 60000000, s.now - n.n * 60000000, 'fired', n.id
FROM number AS s JOIN number AS n ON n.n <= 100 WHERE s.n <= 1000;
INSERT INTO portfire_server (id, started_at, lease_until, info)
SELECT id, now, now + 3600000000,
    '{"name":"server","host":"h","build":"","pid":1,"queues":["default"],"slots":8,"running":8}' FROM number WHERE n <= 20;
DROP TABLE number;
COMMIT;
