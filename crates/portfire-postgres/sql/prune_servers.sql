-- Dead servers that hold nothing.
DELETE FROM portfire_server AS s
WHERE s.lease_until <= portfire_now($1) AND NOT EXISTS (SELECT 1 FROM portfire_running AS r WHERE r.server = s.id)
