-- Another place in line: state and time stay.
UPDATE portfire_job SET queue = ?2, priority = ?3 WHERE id = ?1
