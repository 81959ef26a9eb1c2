-- The claim itself. What was made ready after it began is seen all the same: it starts when it was due.
INSERT INTO portfire_running (id, token, place, server, attempt, started_at, cancel_requested)
SELECT j.id, ?, k.c2, ?, j.attempts + 1, GREATEST(?, j.run_at), FALSE
FROM (?) AS k STRAIGHT_JOIN portfire_job AS j FORCE INDEX (PRIMARY) ON j.id = k.c1
