-- How parents ended that have.
SELECT f.id, f.state, r.result FROM portfire_finished AS f LEFT JOIN portfire_result AS r ON r.job = f.id
WHERE f.id = ANY ($1::uuid[])
