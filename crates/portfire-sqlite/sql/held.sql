-- What is known of the running attempt, if the claim still holds the job.
SELECT server, started_at, cancel_requested FROM portfire_running WHERE id = ?1 AND token = ?2
