-- How do the values move of which an aggregate is taken over the items that are there? For those that no sum tells.
--
-- Parameters:
--   :start timestamp = beginning    steps before it are put together at it, UTC
--   :end timestamp = end            steps before here, UTC
-- Rows: one a unit of time, group and value that more or fewer items have at the unit's end; of the first and the last
--   unit also what as many have as before, so that what they are is known.
-- Columns:
--   at timestamp                    the unit's begin, UTC
--   belongs_to any                  the group
--   value any                       null: they have none
--   items bigint                    how many more have it
with versions as (
    select
        valid_from,
        valid_to,
        {by} as belongs_to,
        {value} as "value"
    from {versions} as {table}
    where valid_from < :end and {where}
),

steps as (  -- each version comes, and goes
    select
        date_trunc({unit}, greatest(case when comes then valid_from else valid_to end, :start)) as at,
        belongs_to,
        case when comes then 1 else -1 end as sign,
        "value"
    from versions
    cross join (values (true), (false)) as sides (comes)
    where comes or valid_to < :end
),

units as (
    select at, belongs_to, "value", sum(sign) as items
    from steps
    group by 1, 2, 3
),

bounded as (
    select at, belongs_to, "value", items, min(at) over () as first_at, max(at) over () as last_at
    from units
)

select at, belongs_to, "value", items
from bounded
where items <> 0 or at = first_at or at = last_at
