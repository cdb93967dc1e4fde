-- Which states was each item in, and when?
--
-- Parameters:
--   :as_of timestamp = end          as it was known from changes until then, inclusive, UTC
-- Window: until :as_of
-- Filter: image
-- Reads: keys, images
-- Rows: one a state an item was in. A change that leaves the item makes one: DynamoDB records no write that changes
--   nothing, so two equal states in succession tell that a change between them is missing from the log. Changes of one
--   instant make one together, or none where they take each other back. An instant that says not what it left, as in a
--   log of keys only, makes none, and ends the one before. Of a filter on numbers, what equals its number but for digits
--   beyond the 15th is let through.
-- Columns:
--   keys varchar                    canonical DynamoDB JSON
--   image varchar                   DynamoDB JSON
--   valid_from timestamp            from here on, UTC
--   valid_to timestamp              before here, UTC, null while it holds
--   version bigint                  counts the item's states from 1, over all its lives
--   life bigint                     1, and one more after each time the item was gone
--   ended_by varchar                modify, remove or ttl; null while it holds
--   event_id varchar                the change that made it; '' where a baseline says so
--   ambiguous boolean               that change was settled by its event_id alone, see latest_state.sql
--
-- A table made again with another key ends the items before it, as removals do.
with states as (
    select
        keys,
        ts,
        kind,
        image,
        event_id,
        ambiguous,
        lag(kind) over by_time as kind_before,
        lead(ts) over by_time as next_ts,
        lead(kind) over by_time as next_kind,
        lead(by_ttl) over by_time as next_by_ttl
    from ({settled_instants}) as instants
    where made
    window by_time as (partition by keys order by ts)
),

spans as (
    select
        *,
        sum(case when kind = 'there' then 1 else 0 end) over so_far as version,
        1 + sum(case when kind <> 'gone' and kind_before = 'gone' then 1 else 0 end) over so_far as life,
        {key_schema} as key_schema
    from states
    window so_far as (partition by keys order by ts rows between unbounded preceding and current row)
),

tables as (
    select key_schema, lead(min(ts)) over (order by min(ts)) as made_again
    from spans
    group by key_schema
),

versions as (
    select
        keys,
        image,
        ts as valid_from,
        case when next_ts is null or made_again < next_ts then made_again else next_ts end as valid_to,
        version,
        life,
        case
            when next_ts is null or made_again < next_ts then case when made_again is not null then 'remove' end
            when next_kind <> 'gone' then 'modify'
            when next_by_ttl = 1 then 'ttl'
            else 'remove'
        end as ended_by,
        event_id,
        ambiguous
    from spans
    join tables on spans.key_schema = tables.key_schema
    where kind = 'there'
)

select keys, image, valid_from, valid_to, version, life, ended_by, event_id, ambiguous
from versions
where {matching}
