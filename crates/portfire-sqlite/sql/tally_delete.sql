-- A tally that was folded into a wider one, or is too old.
DELETE FROM portfire_tally WHERE width = ?1 AND at = ?2 AND kind = ?3 AND queue = ?4
