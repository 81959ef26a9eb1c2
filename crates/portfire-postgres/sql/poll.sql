-- One look for all that a server might have to do: a function of `migrations/0004_steering.sql`.
SELECT stands_before, enqueued, expired, next, next_slot, looked_at, walked
FROM portfire_poll($1, $2, $3, $4, $5, $6, $7)
