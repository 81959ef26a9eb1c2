-- What settlements came to, and the fate of children: a function of `migrations/0003_exchange.sql`.
SELECT state, enqueued FROM portfire_settled($1, $2, $3, $4, $5, $6, $7)
