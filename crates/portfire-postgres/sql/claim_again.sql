-- What a claim took of which nobody has heard, and never more: a function of `migrations/0004_steering.sql`.
SELECT place, queue, id, kind, args, policy, tags, created_at, attempts, crashes, parents, schedule, slot_at, priority,
    run_at, flagged, claimed_at, walked
FROM portfire_claim_again($1, $2)
