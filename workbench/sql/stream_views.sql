-- Which images do the records hold, by event, and when?
-- What a stream hands on is its StreamViewType.
-- Parameters: :start (inclusive) and :end (exclusive), times in UTC.
-- Rows: one an event and what of images its changes have: event_name, has_new, has_old, changes (as often as they were
-- delivered), first_change and last_change (UTC).
select
    event_name,
    new_image is not null as has_new,
    old_image is not null as has_old,
    count(*) as changes,
    min(ts) as first_change,
    max(ts) as last_change
from {deliveries}
where ts >= :start and ts < :end
group by event_name, new_image is not null, old_image is not null
order by 1, 2, 3
