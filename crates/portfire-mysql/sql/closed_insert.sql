-- A server that beats may claim; what it has given up stays so.
INSERT INTO portfire_closed (server, token) VALUES (?, ?) ON DUPLICATE KEY UPDATE token = portfire_closed.token
