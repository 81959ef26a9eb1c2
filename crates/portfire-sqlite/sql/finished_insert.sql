-- The state a job ends in, until when it is kept, and the group of failures it joins.
INSERT INTO portfire_finished (id, state, finished_at, started_at, token, server, prune_at, fingerprint) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
