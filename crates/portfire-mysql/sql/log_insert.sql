-- In the order said.
INSERT INTO portfire_log (job, seq, attempt, at, text) VALUES ?
