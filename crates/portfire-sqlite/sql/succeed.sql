-- A success, guarded by the fence; the row of the attempt says when and where it ran. FAIL, because an insert from a query that may ABORT copies every page it changes first.
INSERT OR FAIL INTO portfire_finished (id, state, finished_at, started_at, token, server, prune_at)
SELECT id, ?3, ?4, started_at, token, server, ?5 FROM portfire_running WHERE id = ?1 AND token = ?2
