-- The rows of {deliveries} whose objects had arrived at the instant {known_at}; {arrival}, when they did, UTC.
-- Rows: deliveries.
select * from {deliveries} where {arrival} <= {known_at}
