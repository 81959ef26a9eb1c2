-- What a claim holds, with the bodies.
SELECT j.id, j.queue, j.kind, j.args, j.policy, j.tags, j.created_at, x.attempt, j.crashes, j.schedule, j.slot_at
FROM portfire_running AS x FORCE INDEX (claim) STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = x.id WHERE x.token = ? ORDER BY x.place
