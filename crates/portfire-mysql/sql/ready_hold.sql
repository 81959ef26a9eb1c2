-- Holds a parent where it is until this transaction ends: whatever moves it on has to wait or passes it by.
SELECT id, NULL FROM portfire_ready WHERE queue = ? AND priority = ? AND run_at = ? AND id = ? LOCK IN SHARE MODE
