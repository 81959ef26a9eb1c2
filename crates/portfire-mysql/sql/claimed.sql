-- What a claim holds, with the bodies and what the parents came to: a row for each parent, and one for a job without. Only
-- the first of a job's rows carries its arguments, which may be long.
SELECT j.id, j.queue, j.kind, IF(COALESCE(d.`position`, 0) = 0, j.args, NULL), j.policy, j.tags, j.created_at, x.attempt,
    j.crashes, j.schedule, j.slot_at, d.parent, d.state, d.result, d.`position`, j.priority, j.run_at, j.unique_name
FROM portfire_running AS x FORCE INDEX (claim)
STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = x.id
LEFT JOIN portfire_dependency AS d FORCE INDEX (PRIMARY) ON d.child = j.id
WHERE x.token = ? ORDER BY x.place
