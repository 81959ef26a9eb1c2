-- A job that is nowhere waits for its time, as its body says now.
INSERT INTO portfire_scheduled (run_at, id, retrying) SELECT j.run_at, j.id, ? FROM portfire_job AS j WHERE j.id = ?
