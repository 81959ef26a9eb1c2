-- A page of history, latest first.
SELECT t.at, t.fired_at, t.fate, t.job, portfire_state_of(t.job) FROM portfire_slot AS t
WHERE t.schedule = $1 AND t.at < $2 ORDER BY t.at DESC LIMIT $3
