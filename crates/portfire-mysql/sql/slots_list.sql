-- A page of history, latest first.
SELECT t.at, t.fired_at, t.fate, t.job,
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
FROM portfire_slot AS t LEFT JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = t.job
WHERE t.schedule = ? AND t.at < ? ORDER BY t.at DESC LIMIT ?
