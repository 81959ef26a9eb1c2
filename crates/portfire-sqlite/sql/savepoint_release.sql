-- What was done since stands or falls with the application's transaction.
RELEASE portfire_settle
