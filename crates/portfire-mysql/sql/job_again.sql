-- The counts that outlive the attempt, when the job is due next, and the token and the answer for repeats.
UPDATE portfire_job SET attempts = ?, crashes = ?, run_at = ?, last_token = ?, last_state = ? WHERE id = ?
