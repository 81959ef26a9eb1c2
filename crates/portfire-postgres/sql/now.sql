-- The database's clock.
SELECT portfire_now($1)
