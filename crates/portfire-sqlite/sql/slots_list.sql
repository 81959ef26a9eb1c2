-- A page of history, latest first.
SELECT at, fired_at, fate, job FROM portfire_slot WHERE schedule = ?1 AND at < ?2 ORDER BY at DESC LIMIT ?3
