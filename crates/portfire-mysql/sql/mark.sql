-- Where a set began, in case that it turns out to repeat something.
SAVEPOINT portfire_mark
