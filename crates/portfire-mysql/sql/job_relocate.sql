-- Another place in line: state and time stay.
UPDATE portfire_job SET queue = ?, priority = ? WHERE id = ?
