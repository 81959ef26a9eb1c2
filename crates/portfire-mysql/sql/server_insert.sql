-- Registers, or renews if somebody has meanwhile; the start and what it is to do are kept.
INSERT INTO portfire_server (id, started_at, lease_until, info) VALUES (?, ?, ? + ?, ?)
ON DUPLICATE KEY UPDATE lease_until = ? + ?, info = ?
