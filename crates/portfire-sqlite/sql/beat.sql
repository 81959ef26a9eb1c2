-- Registers or renews; the start is kept.
INSERT INTO portfire_server (id, started_at, lease_until, info) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until, info = excluded.info
