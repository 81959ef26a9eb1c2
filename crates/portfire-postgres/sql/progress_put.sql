-- Only the latest counts, and only where the claim still holds the job, or ended it well.
INSERT INTO portfire_progress AS p (job, done, total, message)
SELECT i.job, i.done, i.total, i.message
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[]) AS i(job, token, done, total, message)
WHERE EXISTS (
    SELECT 1 FROM portfire_running AS r WHERE r.id = i.job AND r.token = i.token
    UNION ALL SELECT 1 FROM portfire_finished AS f WHERE f.id = i.job AND f.token = i.token AND f.state = 'succeeded')
ORDER BY i.job
ON CONFLICT (job) DO UPDATE SET done = excluded.done, total = excluded.total, message = excluded.message
