-- How schedules stand after their firings (without a new job the last one is kept), and their histories without what is too old to be kept.
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::uuid[])
        AS i(id, next_at, problem, last_slot, last_job)
),
trimmed AS (
    DELETE FROM portfire_slot AS t USING input AS i WHERE t.schedule = i.id AND t.at < (
        SELECT k.at FROM portfire_slot AS k WHERE k.schedule = i.id ORDER BY k.at DESC LIMIT 1 OFFSET $6 - 1)
)
UPDATE portfire_schedule AS s SET next_at = i.next_at, problem = i.problem, last_slot = i.last_slot, last_job = coalesce(i.last_job, s.last_job)
FROM input AS i WHERE s.id = i.id
