-- Reads a table of change records in the Glue catalog.
-- {table} and its columns, as SQL; {within}, a condition on its partitions; {wanted}, which rows; {told}, when they
-- arrived, and {arrival}, what the column of this name has.
-- Rows: deliveries.
select event_id, event_name, table_name, ts, keys, new_image, old_image, size_bytes, by_ttl, aws_region, account_id,
    {arrival} as arrival
from (
    select
        {event_id} as event_id,
        {event_name} as event_name,
        {table_name} as table_name,
        {ts} as ts,
        {keys} as keys,
        {new_image} as new_image,
        {old_image} as old_image,
        {size_bytes} as size_bytes,
        {by_ttl} as by_ttl,
        {aws_region} as aws_region,
        {account_id} as account_id,
        {told} as arrival,
        "$path" as path
    from {table}
    where {within}
) as records
where {wanted}
