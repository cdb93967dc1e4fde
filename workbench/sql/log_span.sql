-- From when to when does the log tell?
-- Parameters: :start (inclusive) and :end (exclusive), times in UTC.
-- Rows: one: first_change and last_change (UTC), unknown where there is no change.
select min(ts) as first_change, max(ts) as last_change
from {deliveries}
where ts >= :start and ts < :end
