-- Takes out jobs whose time to be kept has passed, past what others hold. What belongs to them goes next.
WITH old AS MATERIALIZED (
    SELECT f.ctid AS spot, f.id FROM portfire_finished AS f
    WHERE f.prune_at <= portfire_now($1) ORDER BY f.prune_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM portfire_finished WHERE ctid = ANY (ARRAY(SELECT spot FROM old)) RETURNING id
