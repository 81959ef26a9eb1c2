-- A job joins its group of failures.
INSERT INTO portfire_fault_group (fingerprint, kind, sample, first_at, last_at, count, last_job) VALUES (?1, ?2, ?3, ?4, ?4, 1, ?5)
ON CONFLICT (fingerprint) DO UPDATE SET last_at = excluded.last_at, count = count + 1, last_job = excluded.last_job
