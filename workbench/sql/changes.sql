-- Which changes were made?
--
-- Parameters:
--   :start timestamp = beginning    from here on, UTC
--   :end timestamp = end            before here, UTC
-- Window: from :start, before :end
-- Filter: new_image, old_image
-- Reads: keys, images
-- Rows: one a distinct change; one that was delivered twice is one. Of a filter on numbers, what equals its number but
--   for digits beyond the 15th is let through.
-- Columns:
--   keys varchar                    canonical DynamoDB JSON
--   ts timestamp                    when DynamoDB made it, UTC
--   event_id varchar
--   event_name varchar              INSERT, MODIFY or REMOVE
--   by_ttl boolean                  whether TTL removed the item
--   size_bytes bigint               as DynamoDB reckons it
--   new_image varchar               DynamoDB JSON, null where there is none
--   old_image varchar               as new_image
select
    keys,
    ts,
    event_id,
    event_name,
    max(case when by_ttl then 1 else 0 end) = 1 as by_ttl,
    max(size_bytes) as size_bytes,
    max(new_image) as new_image,
    max(old_image) as old_image
from {deliveries}
where ts >= :start and ts < :end and ({matching})
group by keys, ts, event_id, event_name
