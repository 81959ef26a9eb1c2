-- Holds the lock for 100 ms: longer than anybody who waits looks away. Rings of several follow one another. One statement,
-- so that the lock is let go whatever becomes of who asked. Its name is that of the database and its tables, which a
-- server keeps for all of its databases, in at most 64 letters. The last line tells proxies that this is for who is
-- written to.
SELECT (
    SELECT IF(GET_LOCK(bell.name, 1) AND SLEEP(0.1) + 1, RELEASE_LOCK(bell.name), 0)
    FROM (SELECT SHA2(CONCAT(DATABASE(), '.portfire_bell'), 224) AS name) AS bell
)
FROM DUAL FOR UPDATE
