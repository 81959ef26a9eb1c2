-- A copy of what a parent came to, for those whose wish is decided by it.
UPDATE portfire_dependency AS d FORCE INDEX (parent) SET d.state = ?, d.result = ?
WHERE d.parent = ? AND d.state IS NULL AND d.on_end IN (?)
