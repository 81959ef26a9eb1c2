-- Notes up to when the administrator was told of failures. It never goes back.
INSERT INTO notifications (id, failures_until) VALUES (1, $1)
ON CONFLICT (id) DO UPDATE SET failures_until = excluded.failures_until
WHERE notifications.failures_until < excluded.failures_until
