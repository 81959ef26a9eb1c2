-- A new user whose address belonged to one that was marked as deleted: that one begins anew.
UPDATE users SET display_name = ?, email = ?, deleted_at = NULL,
  created_at = TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))
WHERE email_key = ? AND deleted_at IS NOT NULL
