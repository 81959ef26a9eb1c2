-- Takes back what a set has stored so far.
ROLLBACK TO SAVEPOINT portfire_mark
