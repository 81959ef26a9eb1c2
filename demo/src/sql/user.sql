-- One user.
SELECT id, display_name, email, created_at FROM users WHERE id = $1 AND deleted_at IS NULL
