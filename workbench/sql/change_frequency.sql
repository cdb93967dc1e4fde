-- How many changes were there, by event and by time?
-- Parameters: :start (inclusive) and :end (exclusive), times in UTC; :unit, minute, hour or day (UTC).
-- Rows: one a unit of time that saw a change: bucket (UTC), inserts, modifies, removes, ttl_removes (those of
-- the removes that were made by TTL), changes. A change that was delivered twice counts once.
with changes as (
    select event_id, event_name, by_ttl, ts
    from {deliveries}
    where ts >= :start and ts < :end
    group by event_id, event_name, by_ttl, ts
)

select
    date_trunc(:unit, ts) as bucket,
    count_if(event_name = 'INSERT') as inserts,
    count_if(event_name = 'MODIFY') as modifies,
    count_if(event_name = 'REMOVE') as removes,
    count_if(by_ttl) as ttl_removes,
    count(*) as changes
from changes
group by date_trunc(:unit, ts)
order by 1
