-- A slot has its turn once: a repeat is not answered.
INSERT INTO portfire_slot AS s (schedule, at, fired_at, fate, job)
SELECT i.schedule, i.at, portfire_now($1), i.fate, i.job
FROM unnest($2::text[], $3::bigint[], $4::text[], $5::uuid[]) AS i(schedule, at, fate, job)
ORDER BY i.schedule, i.at
ON CONFLICT (schedule, at) DO NOTHING
RETURNING s.schedule, s.at
