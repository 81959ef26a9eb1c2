-- A settlement by itself, in the application's transaction: a function of `migrations/0003_exchange.sql`.
SELECT portfire_settle_in($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
    $20, $21, $22, $23, $24, $25, $26, $27)
