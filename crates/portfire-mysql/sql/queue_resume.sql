-- Claims find them again.
DELETE FROM portfire_paused_queue WHERE name IN (?)
