-- A queue that is paused already stays as it is, and is not answered.
INSERT INTO portfire_paused_queue AS q (name, since, actor, reason)
SELECT DISTINCT i.name, portfire_now($1), $3, $4 FROM unnest($2::text[]) AS i(name) ORDER BY i.name
ON CONFLICT (name) DO NOTHING
RETURNING q.name
