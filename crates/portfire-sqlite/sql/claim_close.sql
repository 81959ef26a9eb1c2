-- From here on a claim with this token, or one before it, takes nothing: whoever asks with a limit of 0 knows all.
UPDATE portfire_server SET closed_token = ?2 WHERE id = ?1 AND (closed_token IS NULL OR closed_token < ?2)
