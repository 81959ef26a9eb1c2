-- Servers that died before then and hold nothing.
DELETE FROM portfire_server WHERE lease_until <= ?1 AND NOT EXISTS (SELECT 1 FROM portfire_running AS r WHERE r.server = portfire_server.id)
