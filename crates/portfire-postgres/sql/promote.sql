-- The head of the schedule goes to where servers find it. Answers how many went, how long until the next job behind
-- them is due (this statement still sees those that it moves), until the next slot of a schedule, and since when the first
-- of them has been due.
WITH due AS MATERIALIZED (
    SELECT s.ctid AS spot, s.run_at, s.id FROM portfire_scheduled AS s
    WHERE s.run_at <= portfire_now($1) ORDER BY s.run_at, s.id LIMIT $2 FOR UPDATE SKIP LOCKED
),
last AS MATERIALIZED (
    SELECT run_at, id FROM due ORDER BY run_at DESC, id DESC LIMIT 1
),
gone AS (
    DELETE FROM portfire_scheduled WHERE ctid = ANY (ARRAY(SELECT spot FROM due))
),
moved AS (
    INSERT INTO portfire_ready (queue, priority, run_at, id, kind)
    SELECT j.queue, j.priority, due.run_at, j.id, j.kind FROM due JOIN portfire_job AS j ON j.id = due.id
)
SELECT
    (SELECT count(*) FROM due),
    (SELECT greatest(s.run_at - portfire_now($1), 0) FROM portfire_scheduled AS s
        WHERE (s.run_at, s.id) > (
            coalesce((SELECT run_at FROM last), -9223372036854775808),
            coalesce((SELECT id FROM last), '00000000-0000-0000-0000-000000000000')
        )
        ORDER BY s.run_at, s.id LIMIT 1),
    (SELECT greatest(next_at - portfire_now($1), 0) FROM portfire_schedule
        WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1),
    (SELECT min(run_at) FROM due)
