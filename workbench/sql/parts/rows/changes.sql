-- changes.sql for an engine that need not group what was delivered once. {items} is a condition on keys and events that
-- {matching} implies; {question} answers for the changes that were delivered more than once.
with repeated as (
    select event_id
    from {deliveries} as log
    where ts >= :start and ts < :end and ({items})
    group by event_id
    having count(*) > 1
)

select keys, ts, event_id, event_name, coalesce(by_ttl, false) as by_ttl, size_bytes, new_image, old_image
from {deliveries} as log
where ts >= :start and ts < :end and ({matching}) and event_id not in (select event_id from repeated)
union all
select keys, ts, event_id, event_name, by_ttl, size_bytes, new_image, old_image
from ({question}) as repeated_changes
