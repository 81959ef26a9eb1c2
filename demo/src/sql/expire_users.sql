-- Removes users that were marked as deleted before $1.
DELETE FROM users WHERE deleted_at < $1
