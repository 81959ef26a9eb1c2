-- Adds to what was counted in spans. Both databases know VALUES() here; only one knows a name for the new row.
INSERT INTO portfire_tally (width, at, shard, kind, queue, created, succeeded, failed, cancelled, retried, crashed, waited, ran)
VALUES ?
ON DUPLICATE KEY UPDATE created = created + VALUES(created), succeeded = succeeded + VALUES(succeeded),
    failed = failed + VALUES(failed), cancelled = cancelled + VALUES(cancelled),
    retried = retried + VALUES(retried), crashed = crashed + VALUES(crashed),
    waited = waited + VALUES(waited), ran = ran + VALUES(ran)
