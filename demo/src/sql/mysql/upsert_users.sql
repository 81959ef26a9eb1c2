-- One batch of users, as a JSON array. A user whose address exists is updated, and keeps its date; one
-- that was marked as deleted is back. Of two rows with one address the later counts, because it comes later;
-- all batches go by address, so that two imports cannot wait for each other. Its text
-- would else be in the character set of the database, whatever that is.
INSERT INTO users (display_name, email, email_key, created_at)
SELECT batch.name, batch.email, batch.address, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    number FOR ORDINALITY,
    name varchar(200) CHARACTER SET utf8mb4 PATH '$.name',
    email varchar(254) CHARACTER SET utf8mb4 PATH '$.email',
    address varchar(512) CHARACTER SET utf8mb4 PATH '$.key'
)) AS batch
ORDER BY batch.address, batch.number
ON DUPLICATE KEY UPDATE display_name = batch.name, email = batch.email, deleted_at = NULL
