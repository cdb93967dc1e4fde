-- Which items change most?
--
-- Parameters:
--   :start timestamp = beginning    from here on, UTC
--   :end timestamp = end            before here, UTC
--   :limit bigint = 20              how many items
-- Window: from :start, before :end
-- Reads: keys
-- Rows: one an item, the most changed first. A change that was delivered twice counts once. Of items that changed
--   equally often, the limit keeps those whose keys come first as canonical texts.
-- Columns:
--   keys varchar                    canonical DynamoDB JSON
--   changes bigint
--   inserts bigint
--   modifies bigint
--   removes bigint
--   share double                    of all changes in the window, 0 to 1
--   first_change timestamp          UTC
--   last_change timestamp           UTC
with changes as (
    select event_id, event_name, keys, ts
    from {deliveries}
    where ts >= :start and ts < :end
    group by event_id, event_name, keys, ts
),

items as (
    select
        keys,
        count(*) as changes,
        count_if(event_name = 'INSERT') as inserts,
        count_if(event_name = 'MODIFY') as modifies,
        count_if(event_name = 'REMOVE') as removes,
        min(ts) as first_change,
        max(ts) as last_change
    from changes
    group by keys
)

select
    keys,
    changes,
    inserts,
    modifies,
    removes,
    cast(changes as double) / sum(changes) over () as share,
    first_change,
    last_change
from items
order by changes desc, keys
limit :limit
