-- The last numbers in the histories of jobs.
SELECT a.job, MAX(a.seq) FROM portfire_attempt AS a WHERE a.job IN (?) GROUP BY a.job
