-- Jobs for a server, and its cancel requests: a function of `migrations/0004_steering.sql`.
SELECT place, queue, id, kind, args, policy, tags, created_at, attempts, crashes, parents, schedule, slot_at, flagged
FROM portfire_claim($1, $2, $3, $4, $5, $6, $7)
