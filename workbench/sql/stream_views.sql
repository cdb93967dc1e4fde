-- Which images do the records hold, by event, and when?
--
-- What a stream hands on is its StreamViewType.
--
-- Parameters:
--   :start timestamp = beginning    from here on, UTC
--   :end timestamp = end            before here, UTC
-- Window: from :start, before :end
-- Reads: keys, images, repeats
-- Rows: one an event and what of images its changes have.
-- Columns:
--   event_name varchar              INSERT, MODIFY or REMOVE
--   has_new boolean
--   has_old boolean
--   changes bigint                  as often as they were delivered
--   first_change timestamp          UTC
--   last_change timestamp           UTC
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
