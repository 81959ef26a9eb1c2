-- Entries that nobody looks back to any more.
DELETE FROM portfire_audit WHERE at <= ? - ? ORDER BY at LIMIT ?
