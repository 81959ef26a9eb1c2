-- Behind `mark`: fails where no transaction is open, because a mark ends with the transaction that it is in.
RELEASE SAVEPOINT portfire_mark
