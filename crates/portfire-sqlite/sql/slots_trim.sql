-- Keeps the latest ?2 slots.
DELETE FROM portfire_slot WHERE schedule = ?1
  AND at < (SELECT at FROM portfire_slot WHERE schedule = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2 - 1)
