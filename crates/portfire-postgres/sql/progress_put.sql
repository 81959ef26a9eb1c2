-- Only the latest counts, and only while the claim still holds the job.
INSERT INTO portfire_progress AS p (job, done, total, message)
SELECT i.job, i.done, i.total, i.message
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[]) AS i(job, token, done, total, message)
JOIN portfire_running AS r ON r.id = i.job AND r.token = i.token
ORDER BY i.job
ON CONFLICT (job) DO UPDATE SET done = excluded.done, total = excluded.total, message = excluded.message
