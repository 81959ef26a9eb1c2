-- Only a wish: the server that runs the job is told.
UPDATE portfire_running SET cancel_requested = 1 WHERE id = ?1
