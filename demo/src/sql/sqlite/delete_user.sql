-- Marks a user as deleted.
UPDATE users SET deleted_at = CAST(unixepoch('subsec') * 1000000 AS INTEGER)
WHERE id = $1 AND deleted_at IS NULL
