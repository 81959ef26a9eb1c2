-- Only a server whose lease holds may claim.
SELECT 1 FROM portfire_server WHERE id = ?1 AND lease_until > ?2
