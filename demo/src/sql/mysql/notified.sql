-- Notes up to when the administrator was told of failures. It never goes back.
INSERT INTO notifications (id, failures_until) VALUES (1, ?)
ON DUPLICATE KEY UPDATE failures_until = GREATEST(failures_until, VALUES(failures_until))
