-- Entries that nobody looks back to any more.
DELETE FROM portfire_audit WHERE id IN (SELECT id FROM portfire_audit WHERE at <= ?1 ORDER BY at LIMIT ?2)
