-- A copy of what the parent came to.
UPDATE portfire_dependency SET state = ?3, result = ?4 WHERE child = ?1 AND position = ?2
