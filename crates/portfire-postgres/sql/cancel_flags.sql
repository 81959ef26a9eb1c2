-- Running jobs of this server that somebody wants cancelled: a partial index, empty nearly always.
SELECT id, token FROM portfire_running WHERE server = $1 AND cancel_requested
