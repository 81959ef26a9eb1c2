-- A database as it is after a long time: $jobs jobs, most of them ended, and much of everything beside them; the
-- same as for PostgreSQL and SQLite. What is rare is the oldest, so that a search for it comes by everything else:
-- the kind `rare`, the tag `rare`, and the error `needle`. The last job has many children and a long log.
--
-- One statement for a table, in the order of its key, into tables that are empty: so millions take minutes. Neither
-- server has a series of its own that both would know; it is made of thousands of thousands.
SET unique_checks = 0, foreign_key_checks = 0;
CREATE TABLE portfire_number (n BIGINT NOT NULL PRIMARY KEY, id BINARY(16) NOT NULL, at BIGINT NOT NULL, now BIGINT NOT NULL);
INSERT INTO portfire_number
WITH RECURSIVE thousand (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM thousand WHERE n < 999),
    present (now) AS (SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)))
SELECT n, unhex(concat('01990000000070008000', lpad(hex(n), 12, '0'))), now - ($jobs - n) * 10000, now
FROM (
    SELECT CAST(m.n * 1000000 + k.n * 1000 + u.n + 1 AS SIGNED) AS n
    FROM thousand AS m CROSS JOIN thousand AS k CROSS JOIN thousand AS u
    WHERE m.n <= ($jobs - 1) DIV 1000000 AND m.n * 1000 + k.n <= ($jobs - 1) DIV 1000
) AS series CROSS JOIN present WHERE n <= $jobs ORDER BY n;

INSERT INTO portfire_job (id, kind, queue, priority, run_at, created_at, args, tags, has_parents, attempts)
SELECT id, CASE WHEN n = 1 THEN 'rare' ELSE concat('kind_', n % 8) END,
    CASE WHEN n % 10 < 6 THEN 'default' ELSE concat('queue_', n % 4) END, n % 3,
    CASE WHEN n > 0.90 * $jobs AND n <= 0.96 * $jobs THEN now + n * 1000 ELSE at END, at, concat('{"user_id":', n, '}'),
    CASE WHEN n = 1 THEN '["rare"]' WHEN n % 10 = 0 THEN '["common"]' END,
    n > 0.96 * $jobs AND n <= 0.98 * $jobs, n > 0.70 * $jobs AND n <= 0.76 * $jobs
FROM portfire_number ORDER BY n;
INSERT INTO portfire_finished (id, state, finished_at, started_at, server, prune_at, fingerprint)
SELECT id,
    CASE WHEN n = 1 OR n > 0.76 * $jobs THEN 'cancelled' WHEN n > 0.70 * $jobs OR n = 2 THEN 'failed' ELSE 'succeeded' END,
    at + 500000, at + 100000, id, now + n * 1000000,
    CASE WHEN n = 2 OR (n > 0.70 * $jobs AND n <= 0.76 * $jobs)
        THEN lower(lpad(hex(CASE WHEN n % 2 = 0 THEN 0 ELSE n % 300 END), 16, '0')) END
FROM portfire_number WHERE n <= 0.80 * $jobs ORDER BY n;

INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
SELECT j.queue, j.priority, j.run_at, j.id, j.kind FROM portfire_number AS s JOIN portfire_job AS j ON j.id = s.id
WHERE s.n > 0.80 * $jobs AND s.n <= 0.90 * $jobs;
INSERT INTO portfire_scheduled (run_at, id, retrying)
SELECT now + n * 1000, id, n > 0.94 * $jobs FROM portfire_number
WHERE n > 0.90 * $jobs AND n <= 0.96 * $jobs ORDER BY n;
INSERT INTO portfire_awaiting (id, waiting_for)
SELECT id, 1 FROM portfire_number WHERE n > 0.96 * $jobs AND n <= 0.98 * $jobs ORDER BY n;
INSERT INTO portfire_dependency (child, `position`, parent, on_end)
SELECT a.id, 1, s.id, 'success' FROM portfire_awaiting AS a CROSS JOIN portfire_number AS s WHERE s.n = $jobs;
INSERT INTO portfire_running (id, token, place, server, attempt, started_at, cancel_requested)
SELECT id, id, 1, id, 1, at, 0 FROM portfire_number WHERE n > 0.98 * $jobs ORDER BY n;

INSERT INTO portfire_attempt (job, seq, attempt, started_at, ended_at, server, outcome, fault)
SELECT id, 1, 1, at, at + 400000, id, 'failed', CASE WHEN n = 2 THEN 'needle' ELSE 'the payment service answered 503' END
FROM portfire_number
WHERE n = 2 OR (n > 0.70 * $jobs AND n <= 0.76 * $jobs) OR (n > 0.94 * $jobs AND n <= 0.96 * $jobs) ORDER BY n;
INSERT INTO portfire_tag (tag, job)
SELECT CASE WHEN n = 1 THEN 'rare' ELSE 'common' END, id FROM portfire_number WHERE n = 1 OR n % 10 = 0 ORDER BY n;
INSERT INTO portfire_log (job, seq, attempt, at, text)
SELECT last.id, s.n, 1, s.now + s.n, concat('row ', s.n)
FROM portfire_number AS s CROSS JOIN portfire_number AS last WHERE s.n <= 10000 AND last.n = $jobs;

INSERT INTO portfire_fault_group (fingerprint, kind, sample, first_at, last_at, `count`, last_job)
SELECT lower(lpad(hex(n - 1), 16, '0')), concat('kind_', n % 8), 'the payment service answered 503', now - n, now - n * 1000,
    1000 + n, id FROM portfire_number WHERE n <= 300;
INSERT INTO portfire_tally (width, at, shard, kind, queue, created, succeeded, failed, waited, ran)
SELECT w.width, w.begin - w.begin % (w.width * 1000000) - (s.n - 1) * w.width * 1000000, 0, concat('kind_', kind.n),
    concat('queue_', queue.n), 9, 8, 1, 9, 9
FROM (SELECT 60 AS width, 1560 AS spans, now AS begin FROM portfire_number WHERE n = 1
    UNION ALL SELECT 3600, 742, now - 26 * 3600000000 FROM portfire_number WHERE n = 1
    UNION ALL SELECT 86400, 368, now - 32 * 86400000000 FROM portfire_number WHERE n = 1) AS w
JOIN portfire_number AS s ON s.n <= w.spans JOIN portfire_number AS kind ON kind.n <= 8 JOIN portfire_number AS queue ON queue.n <= 3;
INSERT INTO portfire_audit (at, sort, target, action, actor, via, outcome)
SELECT at, 'job', concat('01990000-0000-7000-8000-', lower(lpad(hex(n - n % 1000), 12, '0'))), 'cancel', 'ann', 'api', 'done'
FROM portfire_number WHERE n <= 0.10 * $jobs ORDER BY n;
INSERT INTO portfire_schedule (id, cron, zone, definition, revision, next_at, created_at)
SELECT concat('schedule ', lpad(n, 5, '0')), '* * * * *', 'UTC',
    '{"misfire":"Once","overlap":"Skip","kind":"kind_0","queue":"default","priority":0,"args":"{}","policy":{},"tags":[]}', 1,
    now + n * 1000000, now FROM portfire_number WHERE n <= 1000;
INSERT INTO portfire_slot (schedule, at, fired_at, fate, job)
SELECT concat('schedule ', lpad(s.n, 5, '0')), s.now - n.n * 60000000, s.now - n.n * 60000000, 'fired', n.id
FROM portfire_number AS s JOIN portfire_number AS n ON n.n <= 100 WHERE s.n <= 1000;
INSERT INTO portfire_server (id, started_at, lease_until, info)
SELECT id, now, now + 3600000000,
    '{"name":"server","host":"h","build":"","pid":1,"queues":["default"],"slots":8,"running":8}' FROM portfire_number WHERE n <= 20;
DROP TABLE portfire_number;
ANALYZE TABLE portfire_job, portfire_finished, portfire_ready, portfire_scheduled, portfire_awaiting, portfire_dependency,
    portfire_running, portfire_attempt, portfire_tag, portfire_log, portfire_fault_group, portfire_tally, portfire_audit,
    portfire_schedule, portfire_slot, portfire_server
