-- Jobs join their group of failures.
INSERT INTO portfire_fault_group (fingerprint, kind, sample, first_at, last_at, `count`, last_job) VALUES ?
ON DUPLICATE KEY UPDATE last_at = ?, `count` = portfire_fault_group.`count` + ?, last_job = ?
