-- Only a wish: the server that runs the job is told. No row: it has moved meanwhile.
UPDATE portfire_running SET cancel_requested = TRUE WHERE id = ?
