-- The numbers of the last lines of jobs.
SELECT l.job, MAX(l.seq) FROM portfire_log AS l WHERE l.job IN (?) GROUP BY l.job
