-- Which items were there ever, and what became of them?
--
-- Parameters:
--   :as_of timestamp = end          as it was known from changes until then, inclusive, UTC
-- Window: until :as_of
-- Reads: keys, images
-- Rows: one an item that changed ever.
-- Columns:
--   keys varchar                    canonical DynamoDB JSON
--   first_change timestamp          UTC; of an item that a baseline knows alone, when that was made
--   last_change timestamp           UTC
--   changes bigint                  distinct ones
--   lives bigint                    1, and one more each time it came back
--   deleted boolean                 whether it is gone
--   by_ttl boolean                  whether it is because TTL removed it
--
-- A table made again with another key ends the items before it, as removals do.
with states as (
    select
        keys,
        ts,
        kind,
        changes,
        by_ttl,
        made and kind <> 'gone' and lag(kind) over by_time = 'gone' and max(case when made then 1 else 0 end) over (
            partition by keys order by ts rows between unbounded preceding and 1 preceding
        ) = 1 as came_back  -- what came and went in its first instant had no life, as it had no version
    from ({settled_instants}) as instants
    window by_time as (partition by keys order by ts)
),

items as (
    select
        keys,
        min(ts) as first_change,
        max(ts) as last_change,
        sum(changes) as changes,
        1 + sum(case when came_back then 1 else 0 end) as lives,
        max_by(kind, ts) = 'gone' as gone,
        max_by(by_ttl, ts) = 1 as by_ttl,
        {key_schema} as key_schema
    from states
    group by keys, {key_schema}
),

tables as (
    select key_schema, lead(min(first_change)) over (order by min(first_change)) is not null as made_again
    from items
    group by key_schema
)

select
    keys,
    first_change,
    last_change,
    cast(changes as bigint) as changes,
    cast(lives as bigint) as lives,
    gone or made_again as deleted,
    gone and by_ttl as by_ttl
from items
join tables on items.key_schema = tables.key_schema
