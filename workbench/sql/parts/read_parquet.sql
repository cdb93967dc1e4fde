-- Reads Parquet objects of envelopes for the embedded engine, in DuckDB's own dialect.
-- Parameters: :paths; :numbers, those of the objects; :certain, whether there are no columns but an envelope's;
-- :time_pattern, which a time in UTC matches where it is a text. {new_image}, {old_image}, {size_bytes},
-- {by_ttl}, {aws_region} and {account_id} are these columns, null where the objects lack them.
-- Rows: records, see checked.sql.
select
    event_id,
    event_name,
    table_name,
    case
        when typeof(ts) <> 'VARCHAR' or regexp_full_match(ts::varchar, :time_pattern) then try_cast(ts as timestamp)
    end as ts,
    keys,
    {new_image} as new_image,
    {old_image} as old_image,
    {size_bytes} as size_bytes,
    {by_ttl} as by_ttl,
    {aws_region} as aws_region,
    {account_id} as account_id,
    false as twice,
    :certain as certain,
    false as has_new_images,
    false as is_json,
    (list_value :numbers)[file_index::bigint + 1] as object
from read_parquet(list_value :paths, union_by_name = true, hive_partitioning = false)
