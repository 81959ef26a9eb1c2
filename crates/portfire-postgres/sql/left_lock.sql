-- Servers that left. Held, so that one whose row goes just now waits and is remembered anew: whether it holds something is
-- looked at by the next statement, which sees what was claimed until then.
SELECT server FROM portfire_left ORDER BY server FOR UPDATE SKIP LOCKED
