-- What children wait for, decided already if the parent has ended.
INSERT INTO portfire_dependency (child, `position`, parent, on_end, state, result) VALUES ?
