-- How many users came on each day, for the chart of a report.
SELECT to_char(to_timestamp(created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS label, count(*) AS users
FROM users WHERE deleted_at IS NULL GROUP BY label ORDER BY label DESC LIMIT 30
