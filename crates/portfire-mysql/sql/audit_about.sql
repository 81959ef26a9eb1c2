-- What persons did to one target, latest first.
SELECT id, at, sort, target, action, actor, via, reason, was, became, outcome
FROM portfire_audit WHERE sort = ? AND target = ? AND id < ? ORDER BY id DESC LIMIT ?
