-- Where parents are, as far as this transaction sees.
SELECT j.id, j.queue, j.priority, j.run_at, CASE
    WHEN EXISTS (SELECT 1 FROM portfire_finished AS f WHERE f.id = j.id) THEN 'finished'
    WHEN EXISTS (SELECT 1 FROM portfire_running AS x WHERE x.id = j.id) THEN 'running'
    WHEN EXISTS (SELECT 1 FROM portfire_ready AS r
        WHERE r.queue = j.queue AND r.priority = j.priority AND r.run_at = j.run_at AND r.id = j.id) THEN 'ready'
    WHEN EXISTS (SELECT 1 FROM portfire_scheduled AS s WHERE s.run_at = j.run_at AND s.id = j.id) THEN 'scheduled'
    ELSE 'awaiting' END
FROM portfire_job AS j WHERE j.id IN (?)
