-- What a claim took before its answer was lost, in its order.
SELECT id FROM portfire_running WHERE token = ? ORDER BY place
