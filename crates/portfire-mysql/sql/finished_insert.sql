-- The states jobs end in, until when they are kept, and the groups of failures they join.
INSERT INTO portfire_finished (id, state, finished_at, started_at, token, server, prune_at, fingerprint) VALUES ?
