-- The problems of a batch, one row per line, all from one JSON list: one statement per batch.
INSERT INTO import_errors (job_id, line, problem, text)
SELECT $1, line, problem, text
FROM jsonb_to_recordset($2::text::jsonb) AS batch(line bigint, problem text, text text)
