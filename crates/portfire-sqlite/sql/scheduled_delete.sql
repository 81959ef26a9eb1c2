-- By the whole clustered key.
DELETE FROM portfire_scheduled WHERE run_at = ?1 AND id = ?2
