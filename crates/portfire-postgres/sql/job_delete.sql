-- Jobs with all that belongs to them. They are out of their places already.
WITH attempts AS (DELETE FROM portfire_attempt WHERE job = ANY ($1::uuid[])),
results AS (DELETE FROM portfire_result WHERE job = ANY ($1::uuid[])),
parents AS (DELETE FROM portfire_dependency WHERE child = ANY ($1::uuid[])),
tags AS (DELETE FROM portfire_tag WHERE job = ANY ($1::uuid[])),
progress AS (DELETE FROM portfire_progress WHERE job = ANY ($1::uuid[])),
lines AS (DELETE FROM portfire_log WHERE job = ANY ($1::uuid[])),
names AS (DELETE FROM portfire_unique_name WHERE job = ANY ($1::uuid[]))
DELETE FROM portfire_job WHERE id = ANY ($1::uuid[])
