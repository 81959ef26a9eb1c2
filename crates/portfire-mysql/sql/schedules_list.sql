-- A page of schedules by id.
SELECT q.id, q.cron, q.zone, q.definition, q.revision, q.next_at, q.problem, q.last_slot, q.run, q.created_at,
    CASE
        WHEN j.id IS NULL THEN NULL
        WHEN EXISTS (SELECT 1 FROM portfire_running AS x WHERE x.id = j.id) THEN 'processing'
        WHEN EXISTS (SELECT 1 FROM portfire_awaiting AS a WHERE a.id = j.id) THEN 'awaiting'
        ELSE COALESCE(
            (SELECT f.state FROM portfire_finished AS f WHERE f.id = j.id),
            (SELECT CASE WHEN s.retrying THEN 'retrying' ELSE 'scheduled' END
                FROM portfire_scheduled AS s WHERE s.run_at = j.run_at AND s.id = j.id),
            'enqueued')
        END
FROM (
    SELECT s.*, COALESCE((
        SELECT t.job FROM portfire_slot AS t STRAIGHT_JOIN portfire_job AS b FORCE INDEX (PRIMARY) ON b.id = t.job
        WHERE t.schedule = s.id AND (SELECT 1 FROM portfire_finished AS f WHERE f.id = t.job) IS NULL
        ORDER BY t.schedule DESC, t.at DESC LIMIT 1), s.last_job) AS run
    FROM portfire_schedule AS s WHERE s.id > ? ORDER BY s.id LIMIT ?
) AS q
LEFT JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = q.run
ORDER BY q.id
