-- The first to take a name has it. One that is taken is held as it is, so that its holder can be read.
INSERT INTO portfire_unique_name (kind, name, job) VALUES (?, ?, ?)
ON DUPLICATE KEY UPDATE job = portfire_unique_name.job
