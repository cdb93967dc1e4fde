-- Reads compacted days of a log, of {table}, as deliveries: one a distinct row of them, as it was written.
-- {within}, which partitions; {wanted}, which rows.
-- Rows: deliveries; when they arrived is not told.
select event_id, event_name, table_name, cast(ts as timestamp(6)) as ts, keys, new_image, old_image, size_bytes, by_ttl,
    aws_region, account_id, null as arrival
from {table}
where {within} and {wanted}
