-- delivery.sql for an engine that knows quantile_disc, which is the nearest rank: each change is looked at once, not
-- three times. Items are numbered, since counting numbers takes less than counting keys.
with delivered as (
    select keys, event_id, ts, arrival
    from {deliveries} as log
    where ts >= :start and ts < :end
),

changes as (
    select keys, event_id, ts, min(arrival) as arrival, count(*) as deliveries
    from delivered
    group by keys, event_id, ts
),

dated as (
    select
        *,
        ts < timestamp '2012-01-01 00:00:00.000000' as before,
        case
            when arrival is null then to_unixtime(ts) - to_unixtime(:present)
            else to_unixtime(ts) - to_unixtime(arrival) - 4500
                - case when arrival = date_trunc('day', arrival) then 82800 else 0 end
        end as ahead_by
    from changes
),

instants as (
    select keys, ts, min(arrival) as first_arrival, max(arrival) as last_arrival
    from dated
    where ahead_by <= 0 and not before
    group by keys, ts
),

newer as (
    select keys, ts, newer_arrival
    from (
        select
            keys,
            ts,
            last_arrival,
            min(first_arrival) over (
                partition by keys order by ts desc rows between unbounded preceding and 1 preceding
            ) as newer_arrival
        from instants
    ) as earliest
    where newer_arrival < last_arrival
),

lags as (
    select
        dated.keys,
        dated.ts,
        date_trunc('hour', dated.ts) as made_in,
        date_trunc('hour', arrival) as arrived_in,
        deliveries - 1 as duplicates,
        coalesce(newer_arrival < arrival, false) as reordered,
        ahead_by,
        before,
        case when ahead_by <= 0 and not before then
            greatest(cast(round((to_unixtime(arrival) - to_unixtime(dated.ts)) * 1000) as bigint), 0)
        end as lag
    from dated
    left join newer on dated.keys = newer.keys and dated.ts = newer.ts
),

totals as (
    select
        grouping(made_in, arrived_in) = 3 as total,
        grouping(made_in, arrived_in) = 1 as made,
        coalesce(made_in, arrived_in) as hour,
        count(*) as changes,
        count(distinct keys) as items,
        sum(duplicates) as duplicates,
        count_if(reordered) as reordered,
        count_if(lag > :late_arrival * 1000) as late,
        count(lag) as timed,
        count_if(ahead_by > 0) as ahead,
        count_if(ahead_by > 86400) as far_ahead,
        count_if(before) as before,
        max(case when ahead_by <= 0 and not before then ts end) as newest,
        quantile_disc(lag, 0.5) as p50,
        quantile_disc(lag, 0.9) as p90,
        quantile_disc(lag, 0.99) as p99,
        max(lag) as longest
    from lags
    group by grouping sets ((made_in), (arrived_in), ())
),

thresholds as (
    select
        array_min(max(duplicates, :examples)) as least_duplicates,
        array_min(max(lag, :examples)) as least_lag,
        array_min(max(case when reordered then lag end, :examples)) as least_reordered,
        array_min(max(cast(ahead_by as bigint), :examples)) as least_ahead_by
    from lags
),

worst as (
    select duplicates, lag, reordered, ahead_by, before, keys || ' ' || cast(ts as varchar) as named
    from lags
    cross join thresholds
    where duplicates > 0 and duplicates >= least_duplicates
        or reordered and (lag is null or lag >= least_reordered)
        or lag >= least_lag
        or ahead_by > 0 and cast(ahead_by as bigint) >= least_ahead_by
        or before
),

examples as (
    select
        transform(max(lpad(cast(duplicates as varchar), 19, '0') || named, :examples)
            filter (where duplicates > 0), example -> substr(example, 20)) as most_duplicated,
        transform(max(lpad(cast(lag as varchar), 19, '0') || named, :examples)
            filter (where reordered), example -> substr(example, 20)) as most_reordered,
        transform(max(lpad(cast(lag as varchar), 19, '0') || named, :examples)
            filter (where lag is not null), example -> substr(example, 20)) as latest,
        transform(max(lpad(cast(cast(ahead_by as bigint) as varchar), 19, '0') || named, :examples)
            filter (where ahead_by > 0), example -> substr(example, 20)) as most_ahead,
        max(named, :examples) filter (where before) as most_before
    from worst
)

select
    totals.*,
    case when total then most_duplicated end as most_duplicated,
    case when total then most_reordered end as most_reordered,
    case when total then latest end as latest,
    case when total then most_ahead end as most_ahead,
    case when total then most_before end as most_before
from totals
cross join examples
where changes > 0
