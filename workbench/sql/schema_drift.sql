-- Which shapes did items have, when, and how many items had them?
--
-- A shape is an image without its values: sets empty, texts, numbers and binary ''.
--
-- Parameters:
--   :start timestamp = beginning    from here on, UTC
--   :end timestamp = end            before here, UTC
-- Window: from :start, before :end
-- Reads: keys, images
-- Rows: one a shape among the images that changes left, with `shapes` null; then one a set of shapes that an item went
--   through, with `shape` null.
-- Columns:
--   shape varchar                   DynamoDB JSON without values
--   first_seen timestamp            UTC
--   last_seen timestamp             UTC
--   shapes varchar                  the shapes of a set, a line each
--   items bigint                    that went through the set
with images as (
    select
        keys,
        ts,
        regexp_replace(
            regexp_replace(new_image, '("[SNB]S"\s*:\s*)\[(?:\s*"(?:[^"\\]|\\.)*"\s*,?)*\s*\]', '$1[]'),
            '("[SNB]"\s*:\s*)"(?:[^"\\]|\\.)*"', '$1""'
        ) as shape
    from {deliveries}
    where ts >= :start and ts < :end and new_image is not null
),

seen as (
    select keys, shape, min(ts) as first_seen, max(ts) as last_seen
    from images
    group by keys, shape
),

items as (
    select keys, array_join(array_agg(shape order by shape), chr(10)) as shapes
    from seen
    group by keys
)

select shape, min(first_seen) as first_seen, max(last_seen) as last_seen, null as shapes, null as items
from seen
group by shape
union all
select null, null, null, shapes, count(*)
from items
group by shapes
