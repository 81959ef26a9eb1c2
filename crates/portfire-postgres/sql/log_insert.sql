-- In the order said, and only where the claim still holds the job, or ended it well: a handler that settles its
-- own job may say more afterwards, and a server whose job was rescued may not. Where a job's lines go on is read
-- once for each job: read for each line, it would have to step over the lines that this statement has just written.
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[])
        WITH ORDINALITY AS i(job, token, attempt, at, text, n)
),
held AS MATERIALIZED (
    SELECT i.job, i.token, coalesce((SELECT max(l.seq) FROM portfire_log AS l WHERE l.job = i.job), 0) AS last
    FROM (SELECT DISTINCT job, token FROM input) AS i WHERE EXISTS (
        SELECT 1 FROM portfire_running AS r WHERE r.id = i.job AND r.token = i.token
        UNION ALL SELECT 1 FROM portfire_finished AS f WHERE f.id = i.job AND f.token = i.token AND f.state = 'succeeded')
)
INSERT INTO portfire_log (job, seq, attempt, at, text)
SELECT i.job, h.last + row_number() OVER (PARTITION BY i.job ORDER BY i.n), i.attempt, i.at, i.text
FROM input AS i JOIN held AS h ON h.job = i.job AND h.token = i.token
