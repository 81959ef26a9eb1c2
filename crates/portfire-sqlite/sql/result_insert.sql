-- Only for jobs that produced something.
INSERT INTO portfire_result (job, result) VALUES (?1, ?2) ON CONFLICT (job) DO UPDATE SET result = excluded.result
