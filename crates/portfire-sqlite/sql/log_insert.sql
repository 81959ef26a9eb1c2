-- In the order said.
INSERT INTO portfire_log (job, seq, attempt, at, text)
VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM portfire_log WHERE job = ?1), ?2, ?3, ?4)
