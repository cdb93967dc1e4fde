-- Which changes have to be kept so that the state at any instant from :since on can be told without the log before?
-- All later ones and, of each item, its last instant at :since and, while instants hold several changes, those before:
-- such a group may be a cycle, whose state is the one before it.
-- Parameters: :since, a time in UTC. {new_image} and {old_image} write the images as they are kept.
-- Rows: distinct changes.
with candidates as (
    {candidates}
),

distinct_changes as (
    select
        keys,
        group_no,
        event_id,
        max(ts) as ts,
        max(event_name) as event_name,
        max(new_image) as new_image,
        max(old_image) as old_image,
        max(size_bytes) as size_bytes,
        max(case when by_ttl then 1 else 0 end) as by_ttl
    from candidates
    group by keys, group_no, event_id
),

counted as (
    select *, count(*) over (partition by keys, group_no) as changes
    from distinct_changes
),

settled as (
    select *, min(case when changes = 1 then group_no end) over (partition by keys) as settled_by
    from counted
),

kept as (
    select keys, ts, event_id, event_name, new_image, old_image, size_bytes, by_ttl
    from settled
    where group_no <= coalesce(settled_by, group_no)
    union all
    select
        keys,
        ts,
        event_id,
        max(event_name),
        max(new_image),
        max(old_image),
        max(size_bytes),
        max(case when by_ttl then 1 else 0 end)
    from {deliveries}
    where ts > :since
    group by keys, ts, event_id
)

select
    keys,
    ts,
    event_id,
    event_name,
    {new_image} as new_image,
    {old_image} as old_image,
    size_bytes,
    by_ttl = 1 as by_ttl
from kept
