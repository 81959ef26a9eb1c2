-- The job goes on waiting, held as it is until this transaction ends. No row: it has moved meanwhile.
SELECT id FROM portfire_awaiting WHERE id = ? FOR UPDATE
