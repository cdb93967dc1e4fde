-- How long is it from one change of an item to its next?
--
-- Parameters:
--   :start timestamp = beginning    the later of the two was made from here on, UTC
--   :end timestamp = end            before here, UTC
-- Window: before :end
-- Reads: keys
-- Rows: one a step of time that occurred. An interval counts for the smallest step that is not shorter.
-- Columns:
--   up_to decimal                   the step in seconds; 0 is the same instant, null beyond the last step
--   changes bigint                  intervals of it
with changes as (
    select keys, event_id, ts
    from {deliveries}
    where ts < :end
    group by keys, event_id, ts
),

pairs as (
    select ts, lag(ts) over (partition by keys order by ts, event_id) as previous
    from changes
)

select
    case
        when ts = previous then 0.0
        when ts <= previous + interval '0.001' second then 0.001
        when ts <= previous + interval '0.01' second then 0.01
        when ts <= previous + interval '0.1' second then 0.1
        when ts <= previous + interval '1' second then 1.0
        when ts <= previous + interval '10' second then 10.0
        when ts <= previous + interval '60' second then 60.0
        when ts <= previous + interval '600' second then 600.0
        when ts <= previous + interval '3600' second then 3600.0
        when ts <= previous + interval '21600' second then 21600.0
        when ts <= previous + interval '86400' second then 86400.0
        when ts <= previous + interval '604800' second then 604800.0
        when ts <= previous + interval '2592000' second then 2592000.0
    end as up_to,
    count(*) as changes
from pairs
where previous is not null and ts >= :start
group by 1
