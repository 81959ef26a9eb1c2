-- It is known that this server holds nothing.
DELETE FROM portfire_left WHERE server = $1
