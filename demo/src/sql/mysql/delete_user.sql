-- Marks a user as deleted.
UPDATE users SET deleted_at = TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))
WHERE id = ? AND deleted_at IS NULL
