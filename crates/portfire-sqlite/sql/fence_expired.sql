-- The fence of a rescue repeats its whole reason: the holder is unchanged and its lease is over.
DELETE FROM portfire_running WHERE id = ?1 AND token = ?2
AND NOT EXISTS (SELECT 1 FROM portfire_server AS s WHERE s.id = portfire_running.server AND s.lease_until > ?3)
