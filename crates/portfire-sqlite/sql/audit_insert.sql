-- In the transaction of what it speaks of.
INSERT INTO portfire_audit (at, sort, target, action, actor, via, reason, was, became, outcome)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
