-- How many users came on each day, for the chart of a report.
SELECT date(created_at / 1000000, 'unixepoch') AS label, count(*) AS users
FROM users WHERE deleted_at IS NULL GROUP BY label ORDER BY label DESC LIMIT 30
