-- Which shapes did items have, when, and how many items had them?
-- Parameters: :start (inclusive) and :end (exclusive), times in UTC.
-- Rows: a shape is an image without its values: sets empty, texts, numbers and binary ''. With `shape`: one a shape, first_seen and
-- last_seen (UTC) among the images that changes left. With `shapes`: one a set of shapes that an item went through
-- (a line each), and how many `items` did.
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
