-- Registers or renews; the start is kept. Answers the cancel requests.
WITH beat AS (
    INSERT INTO portfire_server AS s (id, started_at, lease_until, info)
    VALUES ($2, portfire_now($1), portfire_now($1) + $3, $4)
    ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until, info = excluded.info
)
SELECT id, token FROM portfire_running WHERE server = $2 AND cancel_requested
