-- Servers that died so long ago and hold nothing. To be asked for each, and not of all that run at once.
DELETE FROM portfire_server AS s
WHERE s.lease_until <= portfire_now($1) - $2
    AND (SELECT r.id FROM portfire_running AS r WHERE r.server = s.id LIMIT 1) IS NULL
