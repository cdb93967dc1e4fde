-- How large are the change records?
-- Parameters: :start (inclusive) and :end (exclusive), times in UTC; :large, bytes; :examples, how many to name.
-- Rows: one: changes, the bytes of both images as JSON (p50, p99 by nearest rank, largest), large (how many have
-- more than :large), no_old_image and no_new_image (how many should have such an image, and have none), and largest_keys, the keys
-- and ts of the largest.
with changes as (
    select
        keys,
        ts,
        event_id,
        max(case when event_name <> 'INSERT' and old_image is null then 1 else 0 end) as no_old_image,
        max(case when event_name <> 'REMOVE' and new_image is null then 1 else 0 end) as no_new_image,
        max(coalesce(length(to_utf8(new_image)), 0) + coalesce(length(to_utf8(old_image)), 0)) as bytes
    from {deliveries}
    where ts >= :start and ts < :end
    group by keys, ts, event_id
),

ranked as (
    select *, row_number() over (order by bytes) as place, count(*) over () as changes
    from changes
)

select
    count(*) as changes,
    max(case when place <= ceiling(changes * 0.5) then bytes end) as p50,
    max(case when place <= ceiling(changes * 0.99) then bytes end) as p99,
    max(bytes) as largest,
    count_if(bytes > :large) as large,
    sum(no_old_image) as no_old_image,
    sum(no_new_image) as no_new_image,
    transform(max(lpad(cast(bytes as varchar), 19, '0') || keys || ' ' || cast(ts as varchar), :examples),
        example -> substr(example, 20)) as largest_keys
from ranked
