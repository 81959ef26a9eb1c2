-- Slots of held schedules that have their turn now, each once.
INSERT INTO portfire_slot (schedule, at, fired_at, fate, job) VALUES ?
