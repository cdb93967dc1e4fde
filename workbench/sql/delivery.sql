-- How were the changes delivered: twice, late, out of order?
-- Parameters: :start (inclusive) and :end (exclusive), times in UTC; :late_arrival, seconds; :examples, how many
-- changes to name of each kind.
-- Rows: one an hour in which changes first arrived (UTC; unknown where objects do not tell) and, with `total` true,
-- one for all: changes, duplicates (deliveries more than one a change), reordered (changes that arrived after a newer
-- one of their item), late (later than :late_arrival), timed (changes whose arrival is known), and the lag from
-- change to arrival in milliseconds: p50, p90, p99 (nearest rank) and longest. The last columns name the worst:
-- texts of keys and ts, found by max over figure and text in one, since Trino 435 fails now and then in
-- max_by(…, row(…), n). An object arrives when its oldest change does, so the lag is a lower bound.
with deliveries as (
    select keys, event_id, ts, arrival
    from {deliveries}
    where ts >= :start and ts < :end
),

changes as (
    select keys, event_id, ts, min(arrival) as arrival, count(*) as deliveries
    from deliveries
    group by keys, event_id, ts
),

instants as (
    select keys, ts, min(arrival) as arrival
    from changes
    group by keys, ts
),

newer as (
    select
        keys,
        ts,
        min(arrival) over (
            partition by keys order by ts desc rows between unbounded preceding and 1 preceding
        ) as newer_arrival
    from instants
),

lags as (
    select
        changes.keys || ' ' || cast(changes.ts as varchar) as named,
        arrival,
        deliveries - 1 as duplicates,
        coalesce(newer_arrival < arrival, false) as reordered,
        greatest(cast(round((to_unixtime(arrival) - to_unixtime(changes.ts)) * 1000) as bigint), 0) as lag
    from changes
    join newer on changes.keys = newer.keys and changes.ts = newer.ts
),

ranked as (
    select
        *,
        case when not total then date_trunc('hour', arrival) end as hour,
        row_number() over (partition by total, case when not total then date_trunc('hour', arrival) end
                           order by lag nulls last) as place,
        count(lag) over (partition by total, case when not total then date_trunc('hour', arrival) end) as timed
    from lags
    cross join (values (true), (false)) as twice (total)
)

select
    total,
    hour,
    count(*) as changes,
    sum(duplicates) as duplicates,
    count_if(reordered) as reordered,
    count_if(lag > :late_arrival * 1000) as late,
    max(timed) as timed,
    max(case when place <= ceiling(timed * 0.5) then lag end) as p50,
    max(case when place <= ceiling(timed * 0.9) then lag end) as p90,
    max(case when place <= ceiling(timed * 0.99) then lag end) as p99,
    max(lag) as longest,
    transform(max(lpad(cast(duplicates as varchar), 19, '0') || named, :examples)
        filter (where total and duplicates > 0), example -> substr(example, 20)) as most_duplicated,
    transform(max(lpad(cast(lag as varchar), 19, '0') || named, :examples)
        filter (where total and reordered), example -> substr(example, 20)) as most_reordered,
    transform(max(lpad(cast(lag as varchar), 19, '0') || named, :examples)
        filter (where total and lag is not null), example -> substr(example, 20)) as latest
from ranked
group by total, hour
