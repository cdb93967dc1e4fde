-- Are there changes that came after a checkpoint and belong to an instant it begins with? What such an instant leaves
-- may depend on changes that are not in the checkpoint.
-- Parameters: :since, from when on the checkpoint has all changes, in UTC. Rows: one, changes, their number.
select count(*) as changes
from {deliveries} as later
join (
    select keys, min(ts) as ts
    from {checkpoint} as kept
    where ts <= :since
    group by keys
) as first_instants
    on later.keys = first_instants.keys and later.ts = first_instants.ts
left join {checkpoint} as known
    on known.keys = later.keys and known.event_id = later.event_id
where later.ts <= :since and known.event_id is null
