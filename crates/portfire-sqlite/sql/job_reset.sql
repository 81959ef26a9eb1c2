-- A person runs an ended job again: attempts and crashes start afresh.
UPDATE portfire_job SET attempts = 0, crashes = 0 WHERE id = ?1
