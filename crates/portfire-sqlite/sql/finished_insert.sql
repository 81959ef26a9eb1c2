-- The state a job ends in, and until when it is kept.
INSERT INTO portfire_finished (id, state, finished_at, started_at, token, server, prune_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
