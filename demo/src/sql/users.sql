-- Users by id, after a given one.
SELECT id, display_name, email, created_at FROM users
WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2
