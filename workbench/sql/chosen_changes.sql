-- How many changes are chosen, of how many items?
--
-- Parameters:
--   :start timestamp = beginning    from here on, UTC
--   :end timestamp = end            before here, UTC
-- Window: from :start, before :end
-- Filter: new_image, old_image
-- Reads: keys, images
-- Rows: one. Of a filter on numbers, what equals its number but for digits beyond the 15th is counted too.
-- Columns:
--   changes bigint                  one that was delivered twice counts once
--   items bigint                    different ones that changed
select count(distinct event_id) as changes, count(distinct keys) as items
from {deliveries}
where ts >= :start and ts < :end and ({matching})
