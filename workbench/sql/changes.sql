-- Which changes were made?
-- Parameters: :start (inclusive) and :end (exclusive), times in UTC. {matching} is a condition on keys, event_name
-- and the images; one on numbers may let through what equals its number but for digits beyond the 15th.
-- Rows: one a distinct change: keys, ts (UTC), event_id, event_name, by_ttl, size_bytes (as DynamoDB reckons it),
-- new_image and old_image (DynamoDB JSON; null where there is none). A change that was delivered twice counts once.
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
