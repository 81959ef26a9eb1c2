-- What parents came to, in the order they were named.
SELECT d.child, d.parent, d.state, d.result FROM portfire_dependency AS d WHERE d.child IN (?) ORDER BY d.child, d.`position`
