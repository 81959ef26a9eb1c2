-- When the next slot of a schedule comes.
SELECT min(next_at) FROM portfire_schedule WHERE next_at IS NOT NULL
