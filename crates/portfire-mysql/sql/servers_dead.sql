-- Servers that died before then and hold nothing. Read without locks: heartbeats wait for nobody.
SELECT s.id FROM portfire_server AS s WHERE s.lease_until <= ?
    AND (SELECT 1 FROM portfire_running AS x WHERE x.cancel_requested IN (FALSE, TRUE) AND x.server = s.id LIMIT 1) IS NULL
