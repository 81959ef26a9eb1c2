-- The names of jobs that have ended, by the index of their jobs: few have one.
DELETE FROM portfire_unique_name WHERE job IN (?)
