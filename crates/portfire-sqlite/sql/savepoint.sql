-- Begins a part of the application's transaction that is done whole or not at all; where none is open, a transaction of its own.
SAVEPOINT portfire_settle
