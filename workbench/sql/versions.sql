-- Which states was each item in, and when?
--
-- Parameters:
--   :as_of timestamp = end          as it was known from changes until then, inclusive, UTC
-- Window: until :as_of
-- Filter: image
-- Reads: keys, images
-- Rows: one a state an item was in. An instant that leaves what was there already, as numbers and sets are equal, makes
--   none. Neither does one that says not what it left, as in a log of keys only: the state before ends there. Of a
--   filter on numbers, what equals its number but for digits beyond the 15th is let through.
-- Columns:
--   keys varchar                    canonical DynamoDB JSON
--   image varchar                   DynamoDB JSON
--   valid_from timestamp            from here on, UTC
--   valid_to timestamp              before here, UTC, null while it holds
--   version bigint                  counts the item's states from 1, over all its lives
--   life bigint                     1, and one more after each time the item was gone
--   ended_by varchar                modify, remove or ttl; null while it holds
--   event_id varchar                the change that made it
--   ambiguous boolean               changes of one instant could not be settled by their images, see latest_state.sql
--
-- A table made again with another key ends the items before it, as removals do.
with settled as (
    {settled_instants}
),

compared as (  -- with what an instant found: images that are not equal as they are written may be so in canonical form
    select
        *,
        case when not unknown and image <> '' then {canonical} end as canonical
    from settled
),

changed as (
    select
        *,
        coalesce(unknown <> lag(unknown) over by_time, true)
            or not unknown and coalesce(canonical, '') <> coalesce(lag(canonical) over by_time, '') as changed
    from compared
    window by_time as (partition by keys order by ts)
),

numbered as (
    select
        *,
        sum(case when changed then 1 else 0 end) over (
            partition by keys order by ts rows between unbounded preceding and current row
        ) as state_no
    from changed
),

states as (
    select
        keys,
        state_no,
        min(ts) as valid_from,
        max(case when changed then image end) as image,
        max(case when changed then event_id end) as event_id,
        max(case when changed then by_ttl end) as by_ttl,
        max(case when ambiguous then 1 else 0 end) = 1 as ambiguous,
        max(case when unknown then 'unknown' when image = '' then 'gone' else 'there' end) as kind
    from numbered
    group by keys, state_no
),

ends as (
    select
        *,
        lead(valid_from) over by_number as next_from,
        case
            when lead(kind) over by_number <> 'gone' then 'modify'
            when lead(by_ttl) over by_number = 1 then 'ttl'
            else 'remove'
        end as ended_by,
        sum(case when kind = 'there' then 1 else 0 end) over so_far as version,
        1 + sum(case when kind = 'gone' then 1 else 0 end) over so_far as life,
        {key_schema} as key_schema
    from states
    window
        by_number as (partition by keys order by state_no),
        so_far as (partition by keys order by state_no rows between unbounded preceding and current row)
),

tables as (
    select key_schema, lead(min(valid_from)) over (order by min(valid_from)) as made_again
    from ends
    group by key_schema
),

versions as (
    select
        keys,
        image,
        valid_from,
        case when next_from is null or made_again < next_from then made_again else next_from end as valid_to,
        version,
        life,
        case
            when next_from is not null and (made_again is null or made_again >= next_from) then ended_by
            when made_again is not null then 'remove'
        end as ended_by,
        event_id,
        ambiguous
    from ends
    join tables on ends.key_schema = tables.key_schema
    where kind = 'there'
)

select keys, image, valid_from, valid_to, version, life, ended_by, event_id, ambiguous
from versions
where {matching}
