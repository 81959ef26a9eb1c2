-- Jobs for a server, and its cancel requests: a function of `migrations/0004_steering.sql`.
SELECT place, queue, id, kind, args, policy, tags, created_at, attempts, crashes, parents, schedule, slot_at, flagged,
    priority, run_at, claimed_at
FROM portfire_claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
