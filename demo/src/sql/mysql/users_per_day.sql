-- How many users came on each day, for the chart of a report.
SELECT DATE_FORMAT(TIMESTAMPADD(MICROSECOND, created_at, '1970-01-01'), '%Y-%m-%d') AS label, count(*) AS users
FROM users WHERE deleted_at IS NULL GROUP BY label ORDER BY label DESC LIMIT 30
