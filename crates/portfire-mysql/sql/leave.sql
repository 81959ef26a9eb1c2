-- Its jobs, if any are left, are expired from now on.
DELETE FROM portfire_server WHERE id = ?
