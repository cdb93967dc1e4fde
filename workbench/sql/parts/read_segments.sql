-- The deliveries in segments of the store, in DuckDB's own dialect: what write_segment.sql was given, and row_id.
-- Parameters: :paths, the files; {live}, a condition on the objects that are there still.
select
    coalesce(event_id, event_uuid::varchar) as event_id,
    * exclude (event_id, event_uuid),
    file_index::bigint << 32 | file_row_number as row_id
from read_parquet(list_value :paths, hive_partitioning = false)
where {live}
