-- The user of an address: statements that write return no rows here.
SELECT id, display_name, email, created_at FROM users WHERE email_key = ?
