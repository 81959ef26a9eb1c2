-- They hear of it at their next heartbeat.
UPDATE portfire_server SET ordered = ? WHERE id IN (?)
