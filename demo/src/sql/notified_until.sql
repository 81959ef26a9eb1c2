-- Up to when the administrator was told of failures.
SELECT failures_until FROM notifications
