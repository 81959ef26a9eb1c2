-- A new user. An address that is taken is an error of this statement alone, which says so.
INSERT INTO users (display_name, email, email_key, created_at)
VALUES (?, ?, ?, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)))
