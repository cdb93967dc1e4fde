-- How unequally are the changes spread over the items?
-- Parameters: :start (inclusive) and :end (exclusive), times in UTC.
-- Rows: one a number of changes that items have: changes_per_item, items. A change that was delivered twice
-- counts once.
with changes as (
    select keys, event_id, ts
    from {deliveries}
    where ts >= :start and ts < :end
    group by keys, event_id, ts
),

items as (
    select keys, count(*) as changes_per_item
    from changes
    group by keys
)

select changes_per_item, count(*) as items
from items
group by changes_per_item
