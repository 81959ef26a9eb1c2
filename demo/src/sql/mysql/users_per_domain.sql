-- The most common mail domains, for the chart of a report.
SELECT substr(email_key, instr(email_key, '@') + 1) AS label, count(*) AS users
FROM users WHERE deleted_at IS NULL GROUP BY label ORDER BY users DESC, label LIMIT 15
