-- Whether a token settled a job already: then a repeat is answered as before.
SELECT j.id, f.token, f.state, j.last_token, EXISTS (SELECT 1 FROM portfire_running AS x WHERE x.id = j.id), j.last_state
FROM portfire_job AS j LEFT JOIN portfire_finished AS f ON f.id = j.id WHERE j.id IN (?)
