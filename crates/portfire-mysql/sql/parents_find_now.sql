-- Which parents there are, whatever this transaction has seen before, and what finds them.
SELECT j.id, j.queue, j.priority, j.run_at, NULL FROM portfire_job AS j WHERE j.id IN (?) LOCK IN SHARE MODE
