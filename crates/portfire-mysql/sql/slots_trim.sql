-- A history without what is too old to be kept.
DELETE FROM portfire_slot WHERE schedule = ? AND at < (
    SELECT oldest.at FROM (
        SELECT k.at FROM portfire_slot AS k WHERE k.schedule = ? ORDER BY k.at DESC LIMIT 1 OFFSET ?) AS oldest)
