-- Those of these that hold nothing any more. To be asked for each, and not of all that run at once: nearly always there is
-- none.
DELETE FROM portfire_left AS l
WHERE l.server = ANY ($1::uuid[])
    AND (SELECT r.id FROM portfire_running AS r WHERE r.server = l.server LIMIT 1) IS NULL
