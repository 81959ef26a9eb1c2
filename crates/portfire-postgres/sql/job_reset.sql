-- A person runs an ended job again: attempts and crashes start afresh, no settlement before it counts, and
-- what it produced before is forgotten.
WITH results AS (DELETE FROM portfire_result WHERE job = $1)
UPDATE portfire_job SET attempts = 0, crashes = 0, last_token = NULL, last_state = NULL WHERE id = $1
