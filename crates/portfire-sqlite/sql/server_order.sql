-- It hears of it at its next heartbeat.
UPDATE portfire_server SET ordered = ?2 WHERE id = ?1
