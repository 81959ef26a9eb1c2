-- The problems of a batch, one row per line, all from one JSON list: one statement per batch.
INSERT INTO import_errors (job_id, line, problem, text)
SELECT ?, batch.line, batch.problem, batch.text
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    line bigint PATH '$.line',
    problem varchar(40) CHARACTER SET utf8mb4 PATH '$.problem',
    text text CHARACTER SET utf8mb4 PATH '$.text'
)) AS batch
