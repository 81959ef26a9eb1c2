-- Who still waits for these jobs, and for which end, whatever this transaction has seen before. After their own rows
-- are held, so that nobody joins meanwhile.
SELECT d.child, d.parent, d.on_end FROM (?) AS k STRAIGHT_JOIN portfire_dependency AS d FORCE INDEX (parent)
ON d.parent = k.c1 WHERE d.state IS NULL FOR UPDATE
