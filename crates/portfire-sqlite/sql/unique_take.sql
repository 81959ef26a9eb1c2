-- The first to take a name has it; the caller reads who that is.
INSERT INTO portfire_unique_name (kind, name, job) VALUES (?1, ?2, ?3) ON CONFLICT (kind, name) DO NOTHING
