-- The storage's clock.
SELECT ?
