-- The oldest tallies of a width.
SELECT at, kind, queue, created, succeeded, failed, cancelled, retried, crashed, waited, ran
FROM portfire_tally WHERE width = ?1 AND at < ?2 ORDER BY at, kind, queue LIMIT ?3
