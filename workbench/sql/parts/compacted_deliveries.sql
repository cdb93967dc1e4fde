-- Reads compacted days of a log, of {table}, as deliveries: each as often as it was made.
-- {within}, which partitions; {wanted}, which rows; {arrival}, when they arrived, and {delivered}, which deliveries, by
-- `delivery`: the local time of arrival and, after a blank, the object's path from the log's root on.
-- Rows: deliveries.
select event_id, event_name, table_name, cast(ts as timestamp(6)) as ts, keys, new_image, old_image, size_bytes, by_ttl,
    aws_region, account_id, {arrival} as arrival
from {table}
cross join unnest(deliveries) as each (delivery)
where {within} and {wanted} and {delivered}
