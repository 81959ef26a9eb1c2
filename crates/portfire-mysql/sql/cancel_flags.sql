-- Running jobs of this server that somebody wants cancelled.
SELECT id, token FROM portfire_running WHERE cancel_requested = TRUE AND server = ?
