-- The first to take a name has it. Answers the jobs that took theirs.
INSERT INTO portfire_unique_name AS u (kind, name, job)
SELECT kind, name, job FROM unnest($1::text[], $2::text[], $3::uuid[]) AS i(kind, name, job) ORDER BY kind, name
ON CONFLICT (kind, name) DO NOTHING
RETURNING u.job
