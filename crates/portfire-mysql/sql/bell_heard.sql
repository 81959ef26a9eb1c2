-- Waits in the server until the bell is rung or so many milliseconds have passed; answers whether it was rung. The
-- server looks every 40 ms at who holds the lock, which no snapshot hides, so the wait is one statement, reads no table
-- and holds nothing. It ends before it would be logged as slow, but for logs of what takes less than a second. The
-- name is put together anew for each row, so that its answer is no constant. The last line tells proxies that this is
-- for who is written to, where the lock is.
SELECT (
    WITH RECURSIVE look (n, rung, most) AS (
        SELECT 0, 0, LEAST(?, IF(@@slow_query_log AND @@long_query_time > 0, GREATEST(@@long_query_time * 900, 900), 9000)) / 40
        UNION ALL
        SELECT n + 1,
            IF(SLEEP(0.04) = 0, IS_USED_LOCK(SHA2(CONCAT(DATABASE(), '.portfire_bell'), IF(n < 0, 0, 224))) IS NOT NULL, 0),
            most
        FROM look WHERE rung = 0 AND n < most
    )
    SELECT MAX(rung) FROM look
)
FROM DUAL FOR UPDATE
