-- Which slots of held schedules had their turn.
SELECT t.schedule, t.at FROM portfire_slot AS t FORCE INDEX (PRIMARY) WHERE (t.schedule, t.at) IN (?)
