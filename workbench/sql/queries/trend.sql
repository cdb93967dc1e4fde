-- How does an aggregate over the items that are there move? The steps of a count, a sum or a mean.
--
-- Parameters:
--   :start timestamp = beginning    steps before it are put together at it, UTC
--   :end timestamp = end            steps before here, UTC
-- Rows: one a unit of time and group in which items came, went or changed; the sums of all rows up to one are the state
--   at the unit's end.
-- Columns:
--   at timestamp                    the unit's begin, UTC
--   belongs_to any                  the group
--   items bigint                    how many more there are
--   known bigint                    how many more have a value
--   total decimal                   how much more their values are
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
)

select
    at,
    belongs_to,
    sum(sign) as items,
    sum(case when "value" is not null then sign end) as known,
    sum(case when sign = 1 then {amount} else -{amount} end) as total
from steps
group by 1, 2
