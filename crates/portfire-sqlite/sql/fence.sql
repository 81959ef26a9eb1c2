-- The fence: only the claim that holds the job may settle it, and its row is gone with that.
DELETE FROM portfire_running WHERE id = ?1 AND token = ?2
