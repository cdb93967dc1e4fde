-- Which items' states could nothing but event_id settle?
--
-- Parameters:
--   :as_of timestamp = end          inclusive, UTC
-- Window: until :as_of
-- Reads: keys, images
-- Rows: one an item that `latest_state.sql` calls ambiguous.
-- Columns:
--   keys varchar                    canonical DynamoDB JSON
--   ts timestamp                    its last change, UTC
select keys, ts
from ({latest_state}) as states
where ambiguous
