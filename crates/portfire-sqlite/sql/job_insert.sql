-- A repeated id changes nothing: the count of changed rows tells a repeat from a new job.
INSERT INTO portfire_job (id, kind, queue, priority, run_at, created_at, args, policy, unique_name, tags, has_parents, schedule, slot_at, attempts, crashes)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0, 0)
ON CONFLICT (id) DO NOTHING
