-- By which claims these jobs have succeeded, held so that nobody deletes them meanwhile.
SELECT f.id, f.token FROM portfire_finished AS f FORCE INDEX (PRIMARY)
WHERE f.id IN (?) AND f.state = 'succeeded' LOCK IN SHARE MODE
