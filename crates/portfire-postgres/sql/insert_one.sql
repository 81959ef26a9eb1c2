-- A job that is ready at once and nothing more, as most are. Where a session keeps its plan, which leaves nothing to
-- choose, it takes half of what the function of `insert.sql` takes: no list is unpicked, and nothing stands around it.
WITH body AS (
    INSERT INTO portfire_job (id, kind, queue, priority, run_at, created_at, args, policy, has_parents, cancelled_keep)
    VALUES ($2, $3, $4, $5, portfire_now($1), portfire_now($1), $6, $7, false, $8)
),
ready AS (
    INSERT INTO portfire_ready (queue, priority, run_at, id, kind) VALUES ($4, $5, portfire_now($1), $2, $3)
)
INSERT INTO portfire_tally AS t (width, at, shard, kind, queue, created)
VALUES (60, portfire_minute(portfire_now($1)), portfire_shard(portfire_now($1)), $3, $4, 1)
ON CONFLICT (width, at, shard, kind, queue) DO UPDATE SET created = t.created + excluded.created
