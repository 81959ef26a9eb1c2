-- A trigger remembers that it may hold jobs, which are expired from now on.
DELETE FROM portfire_server WHERE id = $1
