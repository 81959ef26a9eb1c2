-- What a job produced, whatever this transaction has seen before.
SELECT result FROM portfire_result WHERE job = ? LOCK IN SHARE MODE
