-- versions.sql for an engine whose deliveries have a row_id, and tables of one key: images are fetched by it in the end,
-- from {images}, where they are wanted.
with states as (
    select
        keys,
        ts,
        kind,
        image,
        row_id,
        event_id,
        ambiguous,
        lag(kind) over by_time as kind_before,
        lead(ts) over by_time as valid_to,
        lead(kind) over by_time as next_kind,
        lead(by_ttl) over by_time as next_by_ttl
    from ({settled_instants}) as instants
    where made
    window by_time as (partition by keys order by ts)
),

spans as (
    select
        *,
        sum(case when kind = 'there' then 1 else 0 end) over so_far as version,
        1 + sum(case when kind <> 'gone' and kind_before = 'gone' then 1 else 0 end) over so_far as life
    from states
    window so_far as (partition by keys order by ts rows between unbounded preceding and current row)
),

versions as (
    select
        spans.keys as keys,
        {image} as image,
        spans.ts as valid_from,
        valid_to,
        version,
        life,
        case
            when valid_to is null then null
            when next_kind <> 'gone' then 'modify'
            when next_by_ttl = 1 then 'ttl'
            else 'remove'
        end as ended_by,
        spans.event_id as event_id,
        ambiguous
    from spans
    {images}
    where kind = 'there'
)

select keys, image, valid_from, valid_to, version, life, ended_by, event_id, ambiguous
from versions
where {matching}
