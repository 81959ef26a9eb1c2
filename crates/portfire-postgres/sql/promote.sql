-- The head of the schedule goes to where servers find it. Answers how many went.
WITH due AS MATERIALIZED (
    SELECT s.ctid AS spot, s.run_at, s.id FROM portfire_scheduled AS s
    WHERE s.run_at <= portfire_now($1) ORDER BY s.run_at, s.id LIMIT $2 FOR UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM portfire_scheduled WHERE ctid = ANY (ARRAY(SELECT spot FROM due))
),
moved AS (
    INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
    SELECT j.queue, j.priority, due.run_at, j.id, j.kind FROM due JOIN portfire_job AS j ON j.id = due.id
)
SELECT count(*) FROM due
