-- record_sizes.sql for an engine that knows quantile_disc, which is the nearest rank: changes need not be sorted.
with changes as (
    select
        keys,
        ts,
        event_id,
        max(case when event_name <> 'INSERT' and old_image is null then 1 else 0 end) as no_old_image,
        max(case when event_name <> 'REMOVE' and new_image is null then 1 else 0 end) as no_new_image,
        max(coalesce(length(to_utf8(new_image)), 0) + coalesce(length(to_utf8(old_image)), 0)) as bytes
    from {deliveries} as log
    where ts >= :start and ts < :end
    group by keys, ts, event_id
),

totals as (
    select
        count(*) as changes,
        quantile_disc(bytes, 0.5) as p50,
        quantile_disc(bytes, 0.99) as p99,
        max(bytes) as largest,
        count_if(bytes > :large) as large,
        sum(no_old_image) as no_old_image,
        sum(no_new_image) as no_new_image,
        array_min(max(bytes, :examples)) as least
    from changes
),

examples as (
    select max(lpad(cast(bytes as varchar), 19, '0') || keys || ' ' || cast(ts as varchar), :examples) as named
    from changes
    cross join totals
    where bytes >= least
)

select
    changes,
    p50,
    p99,
    largest,
    large,
    no_old_image,
    no_new_image,
    transform(named, example -> substr(example, 20)) as largest_keys
from totals
cross join examples
