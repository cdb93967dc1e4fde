-- Reads Parquet objects of canonical changes for the embedded engine, in DuckDB's own dialect.
-- Parameters: :paths; :first, the number of the first object. {aws_region} and {account_id} are null where no object has
-- the column, as older envelopes have not. Rows: deliveries.
select
    event_id,
    event_name,
    table_name,
    ts::timestamp as ts,
    keys,
    new_image,
    old_image,
    size_bytes,
    coalesce(by_ttl, false) as by_ttl,
    {aws_region} as aws_region,
    {account_id} as account_id,
    :first + file_index as object
from read_parquet(list_value :paths, union_by_name = true, hive_partitioning = false)
