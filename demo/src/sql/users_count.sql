-- How many users there are.
SELECT count(*) FROM users WHERE deleted_at IS NULL
