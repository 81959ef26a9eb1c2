-- In the transaction of what it speaks of, in the order of the set.
INSERT INTO portfire_audit (at, sort, target, action, actor, via, reason, was, became, outcome)
SELECT portfire_now($1), i.sort, i.target, i.action, $2, $3, $4, i.was, i.became, i.outcome
FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
    WITH ORDINALITY AS i(sort, target, action, was, became, outcome, n)
ORDER BY i.n
