-- Groups of failures that no job joined for long and of which none is kept. The look for one is a value rather
-- than NOT EXISTS, which MySQL would turn into a scan of all failures.
SELECT g.fingerprint FROM portfire_fault_group AS g FORCE INDEX (latest) WHERE g.last_at < ?
    AND (SELECT 1 FROM portfire_finished AS f FORCE INDEX (fault) WHERE f.fingerprint = g.fingerprint LIMIT 1) IS NULL
ORDER BY g.last_at LIMIT ?
