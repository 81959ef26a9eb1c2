-- The storage's clock: that of who is written to, as the last line tells proxies.
SELECT ?
FROM DUAL FOR UPDATE
