-- From when to when does the log tell?
--
-- Parameters:
--   :start timestamp = beginning    from here on, UTC
--   :end timestamp = end            before here, UTC
-- Window: from :start, before :end
-- Reads: keys
-- Rows: one.
-- Columns:
--   first_change timestamp          UTC, null where there is no change
--   last_change timestamp           as first_change
select min(ts) as first_change, max(ts) as last_change
from {deliveries}
where ts >= :start and ts < :end
