-- The fence for jobs that succeeded: a function of `migrations/0003_exchange.sql`.
SELECT state, enqueued FROM portfire_succeed($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
