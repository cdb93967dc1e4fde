-- The changes that follow from the state an export knows: its items, later changes, and, of items it does not have
-- any more, their last change before, as a removal.
-- Parameters: :since, when the export was made, in UTC. Rows: deliveries.
select keys, ts, event_id, event_name, new_image, old_image, by_ttl
from {baseline}
union all
select keys, ts, event_id, event_name, new_image, old_image, by_ttl
from {deliveries}
where ts > :since
union all
select keys, max(ts), max_by(event_id, ts), 'REMOVE', null, null, max_by(by_ttl, ts)
from {deliveries}
where ts <= :since and keys not in (select keys from {baseline})
group by keys
