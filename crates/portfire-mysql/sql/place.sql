-- Where a job is: the one of five tables that has it, and what is needed to move it.
SELECT j.queue, j.priority, j.run_at, j.kind, j.unique_name, ?,
    EXISTS (SELECT 1 FROM portfire_awaiting AS a WHERE a.id = j.id),
    (SELECT s.retrying FROM portfire_scheduled AS s WHERE s.run_at = j.run_at AND s.id = j.id),
    EXISTS (SELECT 1 FROM portfire_ready AS r
        WHERE r.queue = j.queue AND r.priority = j.priority AND r.run_at = j.run_at AND r.id = j.id),
    EXISTS (SELECT 1 FROM portfire_running AS x WHERE x.id = j.id),
    (SELECT f.state FROM portfire_finished AS f WHERE f.id = j.id), j.cancelled_keep
FROM portfire_job AS j WHERE j.id = ?
