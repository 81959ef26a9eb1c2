-- Bodies and places of a set, and what is counted: a function of `migrations/0006_enqueue.sql`. Answers the ids that
-- were there already.
SELECT id
FROM portfire_insert($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
    $19)
