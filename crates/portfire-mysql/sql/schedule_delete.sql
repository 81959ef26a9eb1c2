-- The schedule alone; its history goes by `slots_delete`.
DELETE FROM portfire_schedule WHERE id = ?
