-- Only queues that were not paused. With IGNORE, the count of changed rows tells if one was just then.
INSERT IGNORE INTO portfire_paused_queue (name, since, actor, reason) VALUES ?
