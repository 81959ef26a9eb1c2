-- One batch of users, as a JSON array. A user whose address exists is updated, and keeps its date; one
-- that was marked as deleted is back. Of two rows with one address the later counts; all batches go by
-- address, so that two imports cannot wait for each other.
INSERT INTO users (display_name, email, email_key, created_at)
SELECT DISTINCT ON (key) name, email, key, (extract(epoch FROM now()) * 1000000)::bigint
FROM ROWS FROM (jsonb_to_recordset($1::text::jsonb) AS (name text, email text, key text))
    WITH ORDINALITY AS batch(name, email, key, number)
ORDER BY key, number DESC
ON CONFLICT (email_key) DO UPDATE SET display_name = excluded.display_name, email = excluded.email,
  deleted_at = NULL
