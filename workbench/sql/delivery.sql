-- How were the changes delivered: twice, late, out of order, and at times that cannot be?
--
-- Parameters:
--   :start timestamp = beginning    from here on, UTC
--   :end timestamp = end            before here, UTC
--   :late_arrival bigint = 86400    seconds, after which a change is late
--   :present timestamp = end        nothing can have been made after it, UTC
--   :examples bigint = 3            how many changes to name of each kind
-- Window: from :start, before :end
-- Reads: keys, arrivals
-- Rows: one an hour in which changes first arrived, with `made` true one an hour in which they were made and,
--   with `total` true, one for all.
-- Columns:
--   total boolean
--   made boolean
--   hour timestamp                  UTC; null where objects do not tell when they arrived
--   changes bigint
--   items bigint
--   duplicates bigint               deliveries more than one a change
--   reordered bigint                changes that arrived after a newer one of their item
--   late bigint                     changes that arrived later than :late_arrival
--   timed bigint                    changes whose arrival is known
--   ahead bigint                    made after they arrived, by more than their object's name can be wrong
--   far_ahead bigint                made after they arrived by a day more
--   before bigint                   made before there was DynamoDB
--   newest timestamp                the last change whose time is possible, UTC
--   p50 bigint                      lag from change to arrival in ms, by nearest rank, null for times that cannot be
--   p90 bigint
--   p99 bigint
--   longest bigint
--   most_duplicated array(varchar)  the worst of each kind: texts of keys and ts
--   most_reordered array(varchar)
--   latest array(varchar)
--   most_ahead array(varchar)
--   most_before array(varchar)
--
-- The worst are found by max over figure and text in one: Trino 435 fails now and then in max_by(…, row(…), n).
-- An object arrives when its oldest change does, so the lag is a lower bound; an object gathers changes for up to 15
-- minutes, and a folder tells the hour, or the day.
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
    select keys, ts, min(arrival) as arrival
    from dated
    where ahead_by <= 0 and not before
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
        dated.keys,
        dated.ts,
        dated.keys || ' ' || cast(dated.ts as varchar) as named,
        arrival,
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

hours as (
    select
        *,
        case when made then date_trunc('hour', ts) when not total then date_trunc('hour', arrival) end as hour
    from lags
    cross join (values (true, false), (false, false), (false, true)) as each (total, made)
),

ranked as (
    select
        *,
        row_number() over (partition by total, made, hour order by lag nulls last) as place,
        count(lag) over (partition by total, made, hour) as timed
    from hours
)

select
    total,
    made,
    hour,
    count(*) as changes,
    count(distinct keys) as items,
    sum(duplicates) as duplicates,
    count_if(reordered) as reordered,
    count_if(lag > :late_arrival * 1000) as late,
    max(timed) as timed,
    count_if(ahead_by > 0) as ahead,
    count_if(ahead_by > 86400) as far_ahead,
    count_if(before) as before,
    max(case when ahead_by <= 0 and not before then ts end) as newest,
    max(case when place <= ceiling(timed * 0.5) then lag end) as p50,
    max(case when place <= ceiling(timed * 0.9) then lag end) as p90,
    max(case when place <= ceiling(timed * 0.99) then lag end) as p99,
    max(lag) as longest,
    transform(max(lpad(cast(duplicates as varchar), 19, '0') || named, :examples)
        filter (where total and duplicates > 0), example -> substr(example, 20)) as most_duplicated,
    transform(max(lpad(cast(lag as varchar), 19, '0') || named, :examples)
        filter (where total and reordered), example -> substr(example, 20)) as most_reordered,
    transform(max(lpad(cast(lag as varchar), 19, '0') || named, :examples)
        filter (where total and lag is not null), example -> substr(example, 20)) as latest,
    transform(max(lpad(cast(cast(ahead_by as bigint) as varchar), 19, '0') || named, :examples)
        filter (where total and ahead_by > 0), example -> substr(example, 20)) as most_ahead,
    max(named, :examples) filter (where total and before) as most_before
from ranked
group by total, made, hour
