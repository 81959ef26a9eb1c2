-- When anybody rang last: a few rows.
SELECT MAX(rung_at) FROM portfire_bell
