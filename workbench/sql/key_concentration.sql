-- How unequally are the changes spread over the items?
--
-- Parameters:
--   :start timestamp = beginning    from here on, UTC
--   :end timestamp = end            before here, UTC
-- Window: from :start, before :end
-- Reads: keys
-- Rows: one a number of changes that items have. A change that was delivered twice counts once.
-- Columns:
--   changes_per_item bigint
--   items bigint                    that have so many
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
