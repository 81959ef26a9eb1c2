-- Holds parents where they are until this transaction ends: whatever moves them on, their end above all,
-- has to wait or passes them by, and then sees their new child. A parent that is not held was just moving.
WITH wanted AS MATERIALIZED (
    SELECT j.id, j.queue, j.priority, j.run_at FROM portfire_job AS j WHERE j.id = ANY ($1::uuid[]) ORDER BY j.id
),
awaiting AS MATERIALIZED (
    SELECT p.id FROM portfire_awaiting AS p WHERE p.id = ANY ($1::uuid[]) ORDER BY p.id FOR KEY SHARE
),
scheduled AS MATERIALIZED (
    SELECT p.id FROM wanted AS w JOIN portfire_scheduled AS p ON p.run_at = w.run_at AND p.id = w.id FOR KEY SHARE OF p
),
ready AS MATERIALIZED (
    SELECT p.id FROM wanted AS w JOIN portfire_ready AS p
        ON p.queue = w.queue AND p.priority = w.priority AND p.run_at = w.run_at AND p.id = w.id
    FOR KEY SHARE OF p
),
running AS MATERIALIZED (
    SELECT p.id FROM portfire_running AS p WHERE p.id = ANY ($1::uuid[]) ORDER BY p.id FOR KEY SHARE
),
finished AS MATERIALIZED (
    SELECT p.id FROM portfire_finished AS p WHERE p.id = ANY ($1::uuid[]) ORDER BY p.id FOR KEY SHARE
),
held AS (
    SELECT id FROM awaiting UNION ALL SELECT id FROM scheduled UNION ALL SELECT id FROM ready
    UNION ALL SELECT id FROM running UNION ALL SELECT id FROM finished
)
SELECT w.id, EXISTS (SELECT 1 FROM held WHERE held.id = w.id) FROM wanted AS w
