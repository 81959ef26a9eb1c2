-- One batch of users, as a JSON array. A user whose address exists is updated, and keeps its date; one
-- that was marked as deleted is back.
INSERT INTO users (display_name, email, email_key, created_at)
SELECT value ->> 'name', value ->> 'email', value ->> 'key', CAST(unixepoch('subsec') * 1000000 AS INTEGER)
FROM json_each($1)
WHERE true
ON CONFLICT (email_key) DO UPDATE SET display_name = excluded.display_name, email = excluded.email,
  deleted_at = NULL
