-- Marks a user as deleted.
UPDATE users SET deleted_at = (extract(epoch FROM now()) * 1000000)::bigint
WHERE id = $1 AND deleted_at IS NULL
