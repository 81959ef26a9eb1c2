-- What persons did to one target, latest first.
SELECT id, at, sort, target, action, actor, via, reason, was, became, outcome
FROM portfire_audit WHERE sort = $1 AND target = $2 AND id < $3 ORDER BY id DESC LIMIT $4
