-- What a claim holds, with the bodies.
SELECT j.id, j.queue, j.kind, j.args, j.policy, j.tags, j.created_at, x.attempt, j.crashes, j.schedule, j.slot_at
FROM portfire_running AS x STRAIGHT_JOIN portfire_job AS j ON j.id = x.id WHERE x.token = ? ORDER BY x.place
