-- The claim itself.
INSERT INTO portfire_running (id, token, server, attempt, started_at, cancel_requested) VALUES (?1, ?2, ?3, ?4, ?5, 0)
