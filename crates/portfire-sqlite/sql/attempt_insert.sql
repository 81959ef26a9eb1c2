-- History is kept in the order of settlement; numbers may repeat after a person's retry.
INSERT INTO portfire_attempt (job, seq, attempt, started_at, ended_at, server, outcome, fault)
VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM portfire_attempt WHERE job = ?1), ?2, ?3, ?4, ?5, ?6, ?7)
