-- Between which values does an attribute move, how often, how long does it stay at each, and who is where?
--
-- Parameters:
--   :start timestamp = beginning    moves from here on, UTC
--   :end timestamp = end            moves before here, UTC; what holds then is where items are
--   :shown bigint = 10              of the items at each value, so many that are there longest
-- Rows: one a pair of values that items moved between; one a value that items are at, but for its items that are there
--   longest, which have rows of their own.
-- Columns:
--   from_value any                  null: it was not there, as the item or the attribute was not
--   to_value any                    null: it was not there any more; of items that are there, null too
--   is_there boolean                of items that are there, and have not moved
--   item varchar                    canonical DynamoDB JSON of the key, of an item that is there longest; else null
--   first_at timestamp              the first move; of items that are there, the first of their arrivals, UTC
--   last_at timestamp               the last, UTC
--   moves bigint                    how many; of items that are there, these
--   items bigint                    different items
--   by_ttl bigint                   moves that are removals by TTL
--   median bigint                   microseconds that the lower half of the moves had stayed at `from_value`, at most
--   p90 bigint                      that nine in ten had stayed, at most; null where that is not known
--
-- Versions of an item that adjoin and have the same value are one stay, whatever else changed in between.
with versions as (
    select
        {table}."$key" as item,
        valid_from,
        case when valid_to < :end then valid_to end as valid_to,
        case when valid_to < :end then ended_by end as ended_by,
        {path} as "value"
    from {versions} as {table}
    where valid_from < :end
),

neighbours as (
    select
        item,
        valid_from,
        valid_to,
        ended_by,
        "value",
        coalesce(lag("value") over by_time <> "value" or lag(valid_to) over by_time <> valid_from, true) as begins,
        coalesce(lead("value") over by_time <> "value" or lead(valid_from) over by_time <> valid_to, true) as ends
    from versions
    where "value" is not null
    window by_time as (partition by item order by valid_from)
),

stays as (  -- the first and the last version of each, which may be one
    select
        item,
        valid_from,
        valid_to,
        ended_by,
        "value",
        begins,
        ends,
        case when begins then valid_from else lag(valid_from) over by_time end as since,
        lag(valid_to) over by_time as before,
        lead(valid_from) over by_time as after,
        lead("value") over by_time as next_value
    from neighbours
    where begins or ends
    window by_time as (partition by item order by valid_from)
),

moves as (  -- each stay's end, and its begin where nothing adjoins
    select
        item,
        case when leaves then "value" end as from_value,
        case when not leaves then "value" when after = valid_to then next_value end as to_value,
        leaves and valid_to is null as is_there,
        case when not leaves or valid_to is null then since else valid_to end as moved_at,
        leaves and coalesce(ended_by, '') = 'ttl' as by_ttl,
        case
            when leaves and valid_to is null then to_unixtime(since)
            when leaves then to_unixtime(valid_to) - to_unixtime(since)
            else to_unixtime(valid_from) - to_unixtime(before)
        end as seconds
    from stays
    cross join (values (true), (false)) as sides (leaves)
    where (leaves and ends) or (not leaves and begins and (before is null or before <> valid_from))
),

ranked as (  -- by how long it took, and, of items that are there, since when
    select
        item,
        from_value,
        to_value,
        is_there,
        moved_at,
        by_ttl,
        cast(seconds * 1000000 as bigint) as micros,
        row_number() over (partition by from_value, to_value, is_there order by seconds, case when is_there then item end) as place,
        count(seconds) over (partition by from_value, to_value, is_there) as known
    from moves
    where is_there or moved_at >= :start
)

select
    from_value,
    to_value,
    is_there,
    case when is_there and place <= :shown then item end as item,
    min(moved_at) as first_at,
    max(moved_at) as last_at,
    count(*) as moves,
    count(distinct item) as items,
    count_if(by_ttl) as by_ttl,
    max(case when not is_there and 2 * place >= known and 2 * (place - 1) < known then micros end) as median,
    max(case when not is_there and 10 * place >= 9 * known and 10 * (place - 1) < 9 * known then micros end) as p90
from ranked
group by 1, 2, 3, 4
