-- In the order said, and only while the claim still holds the job. Where a job's lines go on is read once for
-- each job: read for each line, it would have to step over the lines that this statement has just written.
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[])
        WITH ORDINALITY AS i(job, token, attempt, at, text, n)
),
held AS MATERIALIZED (
    SELECT r.id, r.token, coalesce((SELECT max(l.seq) FROM portfire_log AS l WHERE l.job = r.id), 0) AS last
    FROM (SELECT DISTINCT job, token FROM input) AS i JOIN portfire_running AS r ON r.id = i.job AND r.token = i.token
)
INSERT INTO portfire_log (job, seq, attempt, at, text)
SELECT i.job, h.last + row_number() OVER (PARTITION BY i.job ORDER BY i.n), i.attempt, i.at, i.text
FROM input AS i JOIN held AS h ON h.id = i.job AND h.token = i.token
