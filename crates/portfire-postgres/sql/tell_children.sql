-- The fate of those who wait. The last three lists are the table of what each end means for each wish.
SELECT portfire_tell_children(portfire_now($1), $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
