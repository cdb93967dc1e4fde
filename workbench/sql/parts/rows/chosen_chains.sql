-- chosen_chains.sql for an engine whose deliveries have a row_id: images are read of the changes that it answers with
-- alone, and of those that the filter asks for.
with chosen as (
    select keys, ts, row_id
    from {deliveries} as log
    where ts >= :start and ts < :end and ts < :until and ({matching})
),

items as (
    select keys, min(ts) as since
    from chosen
    group by keys
),

needed as (
    select row_id
    from {deliveries} as log
    join items on log.keys = items.keys
    where ts >= :start and ts < :until and ts >= since and (ts = since or not :first)
),

changes as (
    select
        keys,
        ts,
        event_id,
        event_name,
        max(case when by_ttl then 1 else 0 end) as by_ttl,
        max(size_bytes) as size_bytes,
        max(new_image) as new_image,
        max(old_image) as old_image,
        max(case when row_id in (select row_id from chosen) then 1 else 0 end) as chosen
    from {deliveries} as log
    where row_id in (select row_id from needed)
    group by keys, ts, event_id, event_name
),

others as (
    select keys, min(ts) as ts
    from {deliveries} as log
    where ts >= :start and ts < :until and ts in (select ts from chosen) and keys not in (select keys from items)
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
from changes
union all
select keys, ts, null, null, null, null, null, null, null, others
from numbered
where number <= :examples
