-- What happened to the items of some changes, from the first of these on?
--
-- Parameters:
--   :start timestamp = beginning    changes from here on are looked among, UTC
--   :end timestamp = end            changes before here, UTC
--   :until timestamp = end          what happened before here, UTC
--   :first boolean = false          only the changes of each item's first instant
--   :examples bigint = 3            how many other items of the same instants to name
-- Window: from :start, before :until
-- Filter: new_image, old_image
-- Reads: keys, images
-- Rows: every change, once, of each item of which a change is chosen, from the first chosen one's instant on. Then, with
--   `others` not null, items of which none is, but that changed at the instant of one: their first :examples. Of a filter
--   on numbers, what equals its number but for digits beyond the 15th is chosen too.
-- Columns:
--   keys varchar                    canonical DynamoDB JSON
--   ts timestamp                    when DynamoDB made it, UTC
--   event_id varchar
--   event_name varchar              INSERT, MODIFY or REMOVE
--   by_ttl boolean                  whether TTL removed the item
--   size_bytes bigint               as DynamoDB reckons it
--   new_image varchar               DynamoDB JSON, null where there is none
--   old_image varchar               as new_image
--   chosen boolean                  whether it is one of the changes that are looked for
--   others bigint                   how many other items changed at the instants of these
with changes as (
    select
        keys,
        ts,
        event_id,
        event_name,
        max(case when by_ttl then 1 else 0 end) as by_ttl,
        max(size_bytes) as size_bytes,
        max(new_image) as new_image,
        max(old_image) as old_image,
        max(case when ts < :end and ({matching}) then 1 else 0 end) as chosen
    from {deliveries}
    where ts >= :start and ts < :until
    group by keys, ts, event_id, event_name
),

marked as (
    select
        *,
        min(case when chosen = 1 then ts end) over (partition by keys) as since,
        max(chosen) over (partition by ts) as at_instant
    from changes
),

others as (
    select keys, min(ts) as ts
    from marked
    where since is null and at_instant = 1
    group by keys
),

numbered as (
    select keys, ts, count(*) over () as others, row_number() over (order by ts, keys) as number
    from others
)

select
    keys,
    ts,
    event_id,
    event_name,
    by_ttl = 1 as by_ttl,
    size_bytes,
    new_image,
    old_image,
    chosen = 1 as chosen,
    null as others
from marked
where ts >= since and (ts = since or not :first)
union all
select keys, ts, null, null, null, null, null, null, null, others
from numbered
where number <= :examples
