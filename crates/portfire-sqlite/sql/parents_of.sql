-- What the parents came to, in the order they were named.
SELECT parent, state, result FROM portfire_dependency WHERE child = ?1 ORDER BY position
