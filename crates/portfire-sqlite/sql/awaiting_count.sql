-- One parent fewer; the answer is how many are left.
UPDATE portfire_awaiting SET waiting_for = waiting_for - 1 WHERE id = ?1 RETURNING waiting_for
