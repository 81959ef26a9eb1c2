-- They hear of it at their next heartbeat.
UPDATE portfire_server SET ordered = $2 WHERE id = ANY ($1::uuid[])
