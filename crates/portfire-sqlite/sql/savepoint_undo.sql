-- What was done since has not happened.
ROLLBACK TO portfire_settle
