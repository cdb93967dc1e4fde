-- How long do items live?
--
-- Parameters:
--   :start timestamp = beginning    lives that began from here on, UTC
--   :end timestamp = end            that began before here, UTC; what lives then is living
-- Rows: one a group, beginning and end of lives; an item that comes back lives again.
-- Columns:
--   belongs_to any                  the group, of the first state of the life
--   began timestamp                 UTC
--   ended timestamp                 UTC, null: it lives
--   by_ttl boolean                  whether TTL ended it
--   items bigint                    how many
with versions as (
    select
        {table}."$key" as item,
        life,
        valid_from,
        case when valid_to < :end then valid_to end as valid_to,
        case when valid_to < :end then ended_by end as ended_by,
        {by} as belongs_to
    from {versions} as {table}
    where valid_from < :end
),

numbered as (
    select
        item,
        life,
        valid_from,
        valid_to,
        ended_by,
        belongs_to,
        row_number() over (partition by item, life order by valid_from) as place
    from versions
),

lives as (
    select
        item,
        life,
        max(case when place = 1 then belongs_to end) as belongs_to,
        min(valid_from) as began,
        max(case when ended_by in ('remove', 'ttl') then valid_to end) as ended,
        max(case when ended_by = 'ttl' then 1 else 0 end) as by_ttl
    from numbered
    group by item, life
)

select belongs_to, began, ended, by_ttl = 1 as by_ttl, count(*) as items
from lives
where began >= :start
group by belongs_to, began, ended, by_ttl
