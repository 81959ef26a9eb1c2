-- What the child waits for, decided already if the parent has ended.
INSERT INTO portfire_dependency (child, position, parent, on_end, state, result) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
