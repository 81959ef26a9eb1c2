-- What children wait for, decided already if the parent has ended.
INSERT INTO portfire_dependency (child, position, parent, on_end, state, result)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[])
