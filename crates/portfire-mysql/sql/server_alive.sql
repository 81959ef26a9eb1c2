-- Only a server whose lease holds may claim.
SELECT id FROM portfire_server WHERE id = ? AND lease_until > ?
