-- Bodies of jobs that are not there; one that is refuses the set.
INSERT INTO portfire_job (id, kind, queue, priority, run_at, created_at, args, policy, unique_name, tags,
    has_parents, cancelled_keep, schedule, slot_at)
VALUES ?
