-- Each storage has a row of its own, by its connection, so that nobody waits for another.
INSERT INTO portfire_bell (storage, rung_at) VALUES (CONNECTION_ID(), ?) ON DUPLICATE KEY UPDATE rung_at = ?
