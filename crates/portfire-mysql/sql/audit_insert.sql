-- In the transaction of what it speaks of, in the order of the set.
INSERT INTO portfire_audit (at, sort, target, action, actor, via, reason, was, became, outcome) VALUES ?
