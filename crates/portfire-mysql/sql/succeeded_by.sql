-- By which claims these jobs have succeeded, held so that nobody deletes them meanwhile.
SELECT f.id, f.token FROM (?) AS k STRAIGHT_JOIN portfire_finished AS f FORCE INDEX (PRIMARY)
ON f.id = k.c1 WHERE f.state = 'succeeded' LOCK IN SHARE MODE
