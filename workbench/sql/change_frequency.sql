-- How many changes were there, by event and by time?
--
-- Parameters:
--   :start timestamp = beginning    from here on, UTC
--   :end timestamp = end            before here, UTC
--   :unit varchar = 'hour'          millisecond, second, minute, hour or day, of UTC
-- Window: from :start, before :end
-- Reads: keys
-- Rows: one a unit of time that saw a change. A change that was delivered twice counts once.
-- Columns:
--   bucket timestamp                when the unit begins, UTC
--   inserts bigint
--   modifies bigint
--   removes bigint
--   ttl_removes bigint              those of the removes that TTL made
--   changes bigint                  all of them
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
