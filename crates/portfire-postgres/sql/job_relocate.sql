-- Another place in line: state and time stay. The job is out of its old place, unless it waits for others.
WITH moved AS (
    UPDATE portfire_job SET queue = $2, priority = $3 WHERE id = $1 RETURNING queue, priority, run_at, id, kind
),
later AS (
    INSERT INTO portfire_scheduled (run_at, id, retrying)
    SELECT run_at, id, $4 = 'retrying' FROM moved WHERE $4 IN ('scheduled', 'retrying')
)
INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
SELECT queue, priority, run_at, id, kind FROM moved WHERE $4 = 'enqueued'
