-- Claims find it again.
DELETE FROM portfire_paused_queue WHERE name = ?1
