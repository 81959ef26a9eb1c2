-- Adds to what was counted in a span.
INSERT INTO portfire_tally (width, at, kind, queue, created, succeeded, failed, cancelled, retried, crashed, waited, ran)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (width, at, kind, queue) DO UPDATE SET created = created + excluded.created,
  succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed,
  cancelled = cancelled + excluded.cancelled, retried = retried + excluded.retried,
  crashed = crashed + excluded.crashed, waited = waited + excluded.waited, ran = ran + excluded.ran
