-- Whether the parent exists, and how it ended if it has.
SELECT f.state, r.result FROM portfire_job AS j
LEFT JOIN portfire_finished AS f ON f.id = j.id
LEFT JOIN portfire_result AS r ON r.job = j.id
WHERE j.id = ?1
