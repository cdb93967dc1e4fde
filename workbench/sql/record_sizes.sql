-- How large are the change records?
--
-- Parameters:
--   :start timestamp = beginning    from here on, UTC
--   :end timestamp = end            before here, UTC
--   :large bigint = 524288          bytes, half of the 1 MiB that a record of Kinesis may have
--   :examples bigint = 3            how many of the largest to name
-- Window: from :start, before :end
-- Reads: keys, images
-- Rows: one.
-- Columns:
--   changes bigint
--   p50 bigint                      bytes of both images as JSON, by nearest rank, as is p99
--   p99 bigint
--   largest bigint
--   large bigint                    changes that have more bytes than :large
--   no_old_image bigint             changes that should have an old image, and have none
--   no_new_image bigint             the same of the new one
--   largest_keys array(varchar)     keys and ts of the largest
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
