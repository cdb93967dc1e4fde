-- Reads a table of change records in the Glue catalog.
-- {table} and its columns, as SQL: {keys}, {new_image} and {old_image} as texts of JSON, or null, {twice}, whether
-- binary is encoded twice, and {has_new_images}, whether its stream has them; {within}, a condition on its partitions;
-- {json_keys} …, the same as JSON without nulls, and {canonical_keys} …, as canonical text; {readable}, which rows are
-- changes; {wanted}, which rows; {arrived}, when they arrived, and {arrival}, what the column of this name has.
-- Rows: deliveries.
-- What is used more than once is a column first: Trino would reckon it as often.
select event_id, event_name, table_name, ts, keys, new_image, old_image, size_bytes, by_ttl, aws_region, account_id,
    {arrival} as arrival
from (
    select
        event_id,
        event_name,
        table_name,
        ts,
        {canonical_keys} as keys,
        {canonical_new_image} as new_image,
        {canonical_old_image} as old_image,
        size_bytes,
        by_ttl,
        aws_region,
        account_id,
        arrival,
        path,
        {readable} as readable
    from (
        select
            event_id,
            event_name,
            table_name,
            ts,
            {json_keys} as keys,
            {json_new_image} as new_image,
            {json_old_image} as old_image,
            size_bytes,
            by_ttl,
            aws_region,
            account_id,
            arrival,
            path,
            twice,
            has_new_images
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
                {arrived} as arrival,
                "$path" as path,
                {twice} as twice,
                {has_new_images} as has_new_images
            from {table}
            where {within}
        ) as records
    ) as written
) as changes
where {wanted}
