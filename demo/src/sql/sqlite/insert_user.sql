-- A new user. An address that is taken gives no row, unless its user was marked as deleted: that one begins
-- anew.
INSERT INTO users (display_name, email, email_key, created_at)
VALUES ($1, $2, $3, CAST(unixepoch('subsec') * 1000000 AS INTEGER))
ON CONFLICT (email_key) DO UPDATE SET display_name = excluded.display_name, email = excluded.email,
  created_at = excluded.created_at, deleted_at = NULL
WHERE users.deleted_at IS NOT NULL
RETURNING id, display_name, email, created_at
