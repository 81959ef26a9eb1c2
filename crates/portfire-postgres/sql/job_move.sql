-- The job waits elsewhere now: until then, or ready if `$3`.
WITH moved AS (
    UPDATE portfire_job SET run_at = $2 WHERE id = $1 RETURNING queue, priority, run_at, id, kind
),
later AS (
    INSERT INTO portfire_scheduled (run_at, id, retrying) SELECT run_at, id, $4 FROM moved WHERE NOT $3
)
INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
SELECT queue, priority, run_at, id, kind FROM moved WHERE $3
