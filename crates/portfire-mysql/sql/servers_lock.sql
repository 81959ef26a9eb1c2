-- What servers are to do, held as it is until this transaction ends.
SELECT id, ordered FROM portfire_server WHERE id IN (?) ORDER BY id FOR UPDATE
