-- A slot has its turn once: the count of changed rows tells a repeat.
INSERT INTO portfire_slot (schedule, at, fired_at, fate, job) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (schedule, at) DO NOTHING
