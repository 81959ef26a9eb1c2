-- The counts that outlive the attempt, where the job waits next, and the token and the answer for repeats.
UPDATE portfire_job SET attempts = ?2, crashes = ?3, run_at = ?4, last_token = ?5, last_state = ?6 WHERE id = ?1
RETURNING queue, priority, kind
