-- A person runs an ended job again: attempts and crashes start afresh, and no settlement before it counts.
UPDATE portfire_job SET attempts = 0, crashes = 0, last_token = NULL, last_state = NULL WHERE id = ?
