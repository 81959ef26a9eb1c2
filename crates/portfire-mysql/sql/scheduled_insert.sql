-- Clustered by due time, so that promotion reads from the head.
INSERT INTO portfire_scheduled (run_at, id, retrying) VALUES ?
