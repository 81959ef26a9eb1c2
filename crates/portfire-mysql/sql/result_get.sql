-- What a job produced.
SELECT result FROM portfire_result WHERE job = ?
