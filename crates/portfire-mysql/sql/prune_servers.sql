-- Those that are dead still.
DELETE s FROM portfire_server AS s FORCE INDEX (PRIMARY) WHERE s.id IN (?) AND s.lease_until <= ?
