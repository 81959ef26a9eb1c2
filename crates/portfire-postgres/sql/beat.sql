-- Registers or renews; the start and what it is to do are kept. Answers what it is to do in a row without an
-- id, and the cancel requests.
WITH beat AS (
    INSERT INTO portfire_server AS s (id, started_at, lease_until, info)
    VALUES ($2, portfire_now($1), portfire_now($1) + $3, $4)
    ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until, info = excluded.info
    RETURNING s.ordered
)
SELECT NULL::uuid, NULL::uuid, ordered FROM beat
UNION ALL
SELECT id, token, NULL FROM portfire_running WHERE server = $2 AND cancel_requested
