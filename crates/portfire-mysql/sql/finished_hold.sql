-- Holds a parent that has ended, so that nobody runs it again meanwhile.
SELECT id, state FROM portfire_finished WHERE id = ? LOCK IN SHARE MODE
