-- History is kept in the order of settlement; numbers may repeat after a person's retry.
INSERT INTO portfire_attempt (job, seq, attempt, started_at, ended_at, server, outcome, fault) VALUES ?
