-- Groups of failures that no job joined for long and of which none is kept. The look for one is a value rather
-- than NOT EXISTS, which the database would turn into a scan of all failures.
DELETE FROM portfire_fault_group WHERE last_at < ?
    AND (SELECT 1 FROM portfire_finished AS f WHERE f.fingerprint = portfire_fault_group.fingerprint LIMIT 1) IS NULL
