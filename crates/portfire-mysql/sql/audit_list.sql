-- What persons did, latest first; the columns are those of every query of the audit.
SELECT id, at, sort, target, action, actor, via, reason, was, became, outcome
FROM portfire_audit WHERE id < ? ORDER BY id DESC LIMIT ?
