-- Schedules held as they are until this transaction ends; what they are is read then.
SELECT s.id FROM portfire_schedule AS s FORCE INDEX (PRIMARY) WHERE s.id IN (?) FOR UPDATE
