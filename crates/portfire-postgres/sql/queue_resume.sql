-- Claims find them again.
DELETE FROM portfire_paused_queue WHERE name = ANY ($1::text[]) RETURNING name
