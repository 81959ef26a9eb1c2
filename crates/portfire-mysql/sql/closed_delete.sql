-- Of servers that are gone.
DELETE c FROM portfire_closed AS c FORCE INDEX (PRIMARY)
WHERE c.server IN (?) AND (SELECT 1 FROM portfire_server AS s WHERE s.id = c.server) IS NULL
