-- Whether an item is of the table that was alive last: a table made again with another key ends the items before it.
{key_schema} = max_by({key_schema}, ts) over ()
