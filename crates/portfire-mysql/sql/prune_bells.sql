-- What storages rang that are long gone: older by a day than the latest.
DELETE b FROM portfire_bell AS b JOIN (SELECT MAX(l.rung_at) AS rung_at FROM portfire_bell AS l) AS latest
WHERE b.rung_at < latest.rung_at - 86400000000
