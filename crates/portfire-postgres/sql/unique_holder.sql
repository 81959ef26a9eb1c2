-- Who has the name.
SELECT job FROM portfire_unique_name WHERE kind = $1 AND name = $2
