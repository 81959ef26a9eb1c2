-- What has to be known of a running attempt to end it, if the claim still holds the job: by whom and since when it runs, and whom its end concerns besides itself.
SELECT r.server, r.started_at, r.cancel_requested, j.kind, j.queue, j.run_at, j.unique_name,
  EXISTS (SELECT 1 FROM portfire_dependency AS d WHERE d.parent = j.id AND d.state IS NULL)
FROM portfire_running AS r CROSS JOIN portfire_job AS j ON j.id = r.id WHERE r.id = ?1 AND r.token = ?2
