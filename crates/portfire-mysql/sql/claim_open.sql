-- The last claim of this server that was given up, held until this one has ended: who gives this one up waits.
SELECT token FROM portfire_closed WHERE server = ? LOCK IN SHARE MODE
