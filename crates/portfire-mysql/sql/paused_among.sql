-- Queues that are passed by.
SELECT name FROM portfire_paused_queue WHERE name IN (?)
