-- A schedule and its history.
WITH slots AS (DELETE FROM portfire_slot WHERE schedule = $1)
DELETE FROM portfire_schedule WHERE id = $1
