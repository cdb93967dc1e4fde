-- Which changes can decide each item's state at :as_of? Its last instant, and, while instants hold several
-- changes, those before: such a group may be a cycle, whose state is the one before it.
-- A part of latest_state.sql. Parameters: :as_of, a time in UTC, inclusive.
-- Rows: deliveries, with group_no (1 is the item's last instant) and peers (deliveries of the same instant).
-- A group is needed where every later one has two deliveries or more; the condition keeps at least these,
-- and reads the log once.
select
    {columns},
    group_no,
    deliveries_so_far - later_deliveries as peers
from (
    select
        {columns},
        dense_rank() over newest_first as group_no,
        rank() over newest_first - 1 as later_deliveries,
        count(*) over (
            partition by keys order by ts desc range between unbounded preceding and current row
        ) as deliveries_so_far
    from {deliveries}
    where ts <= :as_of
    window newest_first as (partition by keys order by ts desc)
) as ranked
where later_deliveries >= 2 * (group_no - 1)
