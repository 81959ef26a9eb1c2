-- The history of a schedule that is removed.
DELETE FROM portfire_slot WHERE schedule = ?
