-- Only a server whose lease holds may claim, and only with a token that is not closed: bytes compare in their order.
SELECT 1 FROM portfire_server WHERE id = ?1 AND lease_until > ?2 AND (closed_token IS NULL OR closed_token < ?3)
