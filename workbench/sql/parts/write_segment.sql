-- What a segment of the store holds of {changes}, in DuckDB's own dialect: the columns of workbench.log.objects.SCHEMA and
-- object, the number of the object. Most event_ids are UUIDs, which take 16 bytes as such: one that is not, or is written
-- in another way, stays a text. Sorted, an item's changes lie together, and images like each other compress best.
select
    case when try_cast(event_id as uuid)::varchar = event_id then event_id::uuid end as event_uuid,
    case when try_cast(event_id as uuid)::varchar = event_id then null else event_id end as event_id,
    event_name::varchar as event_name,
    table_name::varchar as table_name,
    ts::timestamp as ts,
    keys::varchar as keys,
    new_image::varchar as new_image,
    old_image::varchar as old_image,
    size_bytes::bigint as size_bytes,
    by_ttl::boolean as by_ttl,
    aws_region::varchar as aws_region,
    account_id::varchar as account_id,
    object
from ({changes})
order by keys, ts
