-- Entries that nobody looks back to any more, past what others hold.
WITH old AS MATERIALIZED (
    SELECT a.ctid AS spot FROM portfire_audit AS a
    WHERE a.at <= portfire_now($1) - $2 ORDER BY a.at LIMIT $3 FOR UPDATE SKIP LOCKED
)
DELETE FROM portfire_audit WHERE ctid = ANY (ARRAY(SELECT spot FROM old))
