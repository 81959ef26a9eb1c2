-- Whether there is anything to be pruned, merged, folded or forgotten: the first row of each is enough. What is looked
-- up beside a row is a value rather than NOT EXISTS, which MySQL would turn into a scan. The last line tells proxies that
-- this is for who is written to.
SELECT EXISTS (SELECT 1 FROM portfire_finished AS f FORCE INDEX (prune) WHERE f.prune_at <= ?)
    OR EXISTS (
        SELECT 1 FROM portfire_server AS s WHERE s.lease_until <= ?
            AND (SELECT 1 FROM portfire_running AS x
                WHERE x.cancel_requested IN (FALSE, TRUE) AND x.server = s.id LIMIT 1) IS NULL
    )
    OR EXISTS (SELECT 1 FROM portfire_audit AS a FORCE INDEX (prune) WHERE a.at <= ?)
    OR EXISTS (SELECT 1 FROM portfire_tally AS t FORCE INDEX (shards) WHERE t.shard > 0 AND t.at < ?)
    OR EXISTS (
        SELECT 1 FROM (?) AS k STRAIGHT_JOIN portfire_tally AS t FORCE INDEX (PRIMARY)
            ON t.width = k.c1 AND t.at < k.c2
    )
    OR EXISTS (
        SELECT 1 FROM portfire_fault_group AS g FORCE INDEX (latest) WHERE g.last_at < ?
            AND (SELECT 1 FROM portfire_finished AS f FORCE INDEX (fault)
                WHERE f.fingerprint = g.fingerprint LIMIT 1) IS NULL
    )
FROM DUAL FOR UPDATE
