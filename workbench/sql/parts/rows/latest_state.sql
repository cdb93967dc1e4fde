-- latest_state.sql for an engine whose deliveries have a row_id, and tables of one key: an item whose last instant is one
-- delivery was left by that; only the others, {question}, have to be settled by their images. Images are read of the rows
-- that can decide alone, those that changes left once.
with last_instants as (
    select keys, max(ts, 2) as instants, max_by(row_id, ts) as last_row
    from {deliveries} as log
    where ts <= :as_of and ({items})
    group by keys
),

tied as (
    select keys
    from last_instants
    where cardinality(instants) = 2 and instants[1] = instants[2]
),

tied_rows as (  -- as parts/candidates.sql finds them, among all deliveries
    select row_id
    from (
        select
            row_id,
            dense_rank() over newest_first as group_no,
            rank() over newest_first - 1 as later_deliveries
        from {deliveries} as log
        where ts <= :as_of and keys in (select keys from tied)
        window newest_first as (partition by keys order by ts desc)
    ) as ranked
    where later_deliveries >= 2 * (group_no - 1)
),

needed as (
    select last_row as row_id, false as is_tied
    from last_instants
    where cardinality(instants) = 1 or instants[1] <> instants[2]
    union all
    select row_id, true as is_tied
    from tied_rows
),

deciding as (
    select log.keys as keys, ts, event_id, event_name, new_image, by_ttl, log.row_id as row_id, is_tied
    from {deliveries} as log
    join needed on log.row_id = needed.row_id
),

tied_changes as (  -- as often as they differ: what was delivered twice is there once
    select keys, ts, event_id, event_name, new_image, old_image, by_ttl, min(deciding.row_id) as row_id
    from deciding
    join (
        select row_id, old_image
        from {deliveries} as log
        where row_id in (select row_id from tied_rows)
    ) as found on deciding.row_id = found.row_id
    where is_tied
    group by keys, ts, event_id, event_name, new_image, old_image, by_ttl
),

settled as (
    select
        keys,
        new_image as image,
        ts,
        by_ttl and new_image is null as by_ttl,
        false as ambiguous,
        event_name <> 'REMOVE' and new_image is null as unknown,
        false as ended
    from deciding
    where not is_tied
)

select keys, image, ts, by_ttl, ambiguous, unknown, ended
from settled
where (:include_deleted or image is not null or unknown) and (unknown or ({matching}))
union all
select keys, image, ts, by_ttl, ambiguous, unknown, ended
from ({question}) as settled_by_images
