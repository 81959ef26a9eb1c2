-- Jobs for a server, its cancel requests, and what is to be said of the claim: a function of `migrations/0004_steering.sql`.
SELECT place, queue, id, kind, args, policy, tags, created_at, attempts, crashes, parents, schedule, slot_at, priority,
    run_at, flagged, claimed_at, walked
FROM portfire_claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
