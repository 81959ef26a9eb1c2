-- Groups of failures that no job joined for long and of which none is kept.
DELETE FROM portfire_fault_group WHERE last_at < ?1
  AND NOT EXISTS (SELECT 1 FROM portfire_finished AS f WHERE f.fingerprint = portfire_fault_group.fingerprint)
