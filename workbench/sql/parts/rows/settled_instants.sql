-- settled_instants.sql for an engine whose deliveries have a row_id, and tables of one key: an instant of one change is
-- settled by that. Only the others, and those right before them, are settled by their images: {few}, which is asked of
-- touched_changes.
-- Parameters: :as_of, a time in UTC, inclusive; {items}, a condition on keys.
-- Rows: those of settled_instants.sql, and row_id: where it is there, that delivery has the image.
with instants as (
    select
        keys,
        ts,
        min(event_id) as event_id,
        count(*) as deliveries,
        min(row_id) as row_id,
        max(event_name) as event_name,
        max(case when by_ttl then 1 else 0 end) as by_ttl,
        max(case when event_name <> 'REMOVE' and new_image is null then 1 else 0 end) as unknown
    from {deliveries} as log
    where ts <= :as_of and ({items})
    group by keys, ts
),

tied as (  -- what was delivered twice is one change
    select log.keys as keys, log.ts as ts
    from {deliveries} as log
    join instants on log.keys = instants.keys and log.ts = instants.ts
    where log.ts <= :as_of and deliveries > 1
    group by log.keys, log.ts
    having min(log.event_id) <> max(log.event_id)
),

touched as (
    select keys, ts
    from (
        select
            instants.keys as keys,
            instants.ts as ts,
            tied.ts as tied_at,
            lead(tied.ts) over (partition by instants.keys order by instants.ts) as tied_after
        from instants
        left join tied on instants.keys = tied.keys and instants.ts = tied.ts
        where instants.keys in (select keys from tied)
    ) as of_few
    where tied_at is not null or tied_after is not null
),

touched_changes as (  -- as often as they differ: what was delivered twice is there once
    select log.keys as keys, log.ts as ts, event_id, event_name, new_image, old_image, by_ttl
    from {deliveries} as log
    join touched on log.keys = touched.keys and log.ts = touched.ts
    where log.ts <= :as_of
    group by log.keys, log.ts, event_id, event_name, new_image, old_image, by_ttl
)

select
    instants.keys as keys,
    instants.ts as ts,
    case when unknown = 1 then 'unknown' when event_name = 'REMOVE' then 'gone' else 'there' end as kind,
    cast(null as varchar) as image,
    row_id,
    event_id,
    1 as changes,
    by_ttl,
    false as ambiguous,
    true as made
from instants
left join tied on instants.keys = tied.keys and instants.ts = tied.ts
where tied.keys is null
union all
select
    settled_by_images.keys, settled_by_images.ts, kind, image, null, event_id, changes, by_ttl, ambiguous, made
from ({few}) as settled_by_images
join tied on settled_by_images.keys = tied.keys and settled_by_images.ts = tied.ts
