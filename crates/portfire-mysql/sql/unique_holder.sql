-- Who has the name now, whatever this transaction has seen before.
SELECT job FROM portfire_unique_name WHERE kind = ? AND name = ? LOCK IN SHARE MODE
