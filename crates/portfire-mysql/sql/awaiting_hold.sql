-- Holds a parent where it is until this transaction ends: whatever moves it on has to wait or passes it by.
SELECT id, NULL FROM portfire_awaiting WHERE id = ? LOCK IN SHARE MODE
