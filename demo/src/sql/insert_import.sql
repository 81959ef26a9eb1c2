-- An import begins.
INSERT INTO import_progress (job_id, original_name) VALUES ($1, $2)
