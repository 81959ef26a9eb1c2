-- The problems of a batch, one row per line, all from one JSON list: one statement per batch.
INSERT INTO import_errors (job_id, line, problem, text)
SELECT $1, value ->> 'line', value ->> 'problem', value ->> 'text'
FROM json_each($2)
