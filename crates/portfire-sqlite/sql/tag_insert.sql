-- One row per word, for lists by tag.
INSERT INTO portfire_tag (tag, job) VALUES (?1, ?2) ON CONFLICT DO NOTHING
