-- latest_state.sql for an engine whose deliveries have a row_id, and tables of one key: an item whose last instant is one
-- delivery was left by that; only the others, {question}, have to be settled by their images.
with last_instants as (
    select keys, max(ts, 2) as instants, max_by(row_id, ts) as last_row
    from {deliveries} as log
    where ts <= :as_of
    group by keys
),

tied as (
    select keys
    from last_instants
    where cardinality(instants) = 2 and instants[1] = instants[2]
),

tied_changes as (  -- as often as they differ: what was delivered twice is there once
    select keys, ts, event_id, event_name, new_image, old_image, by_ttl, min(row_id) as row_id
    from {deliveries} as log
    where ts <= :as_of and keys in (select keys from tied)
    group by keys, ts, event_id, event_name, new_image, old_image, by_ttl
),

settled as (
    select
        log.keys as keys,
        new_image as image,
        ts,
        by_ttl and new_image is null as by_ttl,
        false as ambiguous,
        event_name <> 'REMOVE' and new_image is null as unknown,
        false as ended
    from {deliveries} as log
    join last_instants on log.row_id = last_instants.last_row
    where log.keys not in (select keys from tied)
)

select keys, image, ts, by_ttl, ambiguous, unknown, ended
from settled
where (:include_deleted or image is not null or unknown) and (unknown or ({matching}))
union all
select keys, image, ts, by_ttl, ambiguous, unknown, ended
from ({question}) as settled_by_images
