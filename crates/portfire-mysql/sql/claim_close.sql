-- Gives up a claim and all before it, once those that are under way have ended.
UPDATE portfire_closed SET token = GREATEST(token, ?) WHERE server = ?
