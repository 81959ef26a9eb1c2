-- What jobs are found by.
INSERT INTO portfire_tag (tag, job) VALUES ?
