-- A queue that is paused already stays as it is.
INSERT INTO portfire_paused_queue (name, since, actor, reason) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO NOTHING
