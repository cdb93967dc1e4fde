-- Reads Parquet objects of canonical changes for the embedded engine, in DuckDB's own dialect.
-- Parameters: :paths; :first, the number of the first object. Rows: deliveries.
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
    :first + file_index as object
from read_parquet(list_value :paths, union_by_name = true, hive_partitioning = false)
