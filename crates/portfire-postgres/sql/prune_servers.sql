-- Servers that died so long ago and hold nothing.
DELETE FROM portfire_server AS s
WHERE s.lease_until <= portfire_now($1) - $2 AND NOT EXISTS (SELECT 1 FROM portfire_running AS r WHERE r.server = s.id)
