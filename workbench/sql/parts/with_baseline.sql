-- The log, and what an export knows at the instant it was made: its items, and, of items it does not have any more, a
-- removal. What the log says of that instant is in the export.
-- Parameters: :since, when the export was made, in UTC. Rows: deliveries.
select keys, ts, '' as event_id, 'BASELINE' as event_name, new_image, old_image, by_ttl
from {baseline}
union all
select keys, ts, event_id, event_name, new_image, old_image, by_ttl
from {deliveries}
where ts <> :since
union all
select keys, :since, max_by(event_id, ts), 'REMOVE', null, null, max_by(by_ttl, ts)
from {deliveries}
where ts <= :since and keys not in (select keys from {baseline})
group by keys
