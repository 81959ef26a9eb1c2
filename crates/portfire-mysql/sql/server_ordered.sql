-- What a server is to do.
SELECT ordered FROM portfire_server WHERE id = ?
