-- What persons did to one target, latest first.
SELECT id, at, sort, target, action, actor, via, reason, was, became, outcome
FROM portfire_audit FORCE INDEX (target) WHERE sort = ? AND target = ? AND id < ? ORDER BY id DESC LIMIT ?
