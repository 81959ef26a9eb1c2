-- How many parents are undecided.
INSERT INTO portfire_awaiting (id, waiting_for) VALUES ?
