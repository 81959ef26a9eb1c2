-- Those of the queues that are paused, held so until this transaction ends.
SELECT name FROM portfire_paused_queue WHERE name IN (?) ORDER BY name FOR UPDATE
