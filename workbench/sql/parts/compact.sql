-- What a compacted day keeps: deliveries that are equal in all but their objects are one row.
-- {deliveries}: those of the day, with the local time of arrival and the path of their object as `arrival`.
-- Rows: distinct deliveries. Athena sorts what a file of an UNLOAD has as the query does, and so an item's changes are in
-- a few places: https://docs.aws.amazon.com/athena/latest/ug/unload.html
select
    event_id,
    event_name,
    table_name,
    cast(ts as varchar) as ts,
    keys,
    new_image,
    old_image,
    size_bytes,
    by_ttl,
    aws_region,
    account_id,
    array_agg(arrival order by arrival) as deliveries
from {deliveries} as log
group by event_id, event_name, table_name, ts, keys, new_image, old_image, size_bytes, by_ttl, aws_region, account_id
order by keys, ts, event_id
