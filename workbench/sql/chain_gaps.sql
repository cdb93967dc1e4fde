-- Where may a change be missing from the log?
--
-- Parameters:
--   :start timestamp = beginning    from here on, UTC
--   :end timestamp = end            before here, UTC
--   :examples bigint = 3            how many items to name that were there before their first change
-- Window: before :end
-- Reads: keys, images
-- Rows: every change until :end of each item of which one did not find, as far as texts tell, what the change before it
--   left. Then, with `beginnings` not null, items whose first change found the item there: their first :examples.
-- Columns:
--   keys varchar                    canonical DynamoDB JSON
--   ts timestamp                    UTC
--   event_id varchar
--   found any                       digest of the image it found, null where it is not known
--   left_behind any                 digest of the image it left
--   absent any                      the digest of an item that is not there
--   beginnings bigint               how many items' first change found the item there
--
-- A caller follows these chains and compares the images themselves, since equal images may differ as texts.
-- Changes of one instant have no order of their own. Of two, one must follow on from the other; more are left
-- to the caller, and so are those of which one does not say what it found.
with changes as (
    select
        keys,
        ts,
        event_id,
        max(case
            when event_name = 'INSERT' then xxhash64(to_utf8(''))
            when old_image is not null then xxhash64(to_utf8(old_image))
        end) as found,
        max(case
            when event_name = 'REMOVE' or new_image is not null then xxhash64(to_utf8(coalesce(new_image, '')))
        end) as left_behind
    from {deliveries}
    where ts < :end
    group by keys, ts, event_id
),

instants as (  -- one row an item and instant; of two changes, the first and second by event_id
    select
        keys,
        ts,
        count(*) as changes,
        count(*) = count(found) as known,
        min_by(found, event_id) as first_found,
        min_by(left_behind, event_id) as first_left,
        max_by(found, event_id) as second_found,
        max_by(left_behind, event_id) as second_left
    from changes
    group by keys, ts
),

moves as (  -- found and left_behind of the whole instant; to_follow where that takes more than this query
    select
        keys,
        ts,
        changes > 1
            and not (known and changes = 2 and (first_left = second_found or second_left = first_found)) as to_follow,
        case when changes = 1 or first_left = second_found then first_found else second_found end as found,
        case when changes = 1 or first_left = second_found then second_left else first_left end as left_behind,
        known,
        changes
    from instants
),

links as (
    select
        *,
        lag(left_behind) over (partition by keys order by ts) as before,
        row_number() over (partition by keys order by ts) as number
    from moves
),

items as (
    select keys
    from links
    where ts >= :start and (to_follow or known and (
        number > 1 and found <> before
        or number = 1 and changes > 1 and found <> xxhash64(to_utf8(''))))
    group by keys
),

beginnings as (
    select keys, ts, count(*) over () as beginnings, row_number() over (order by ts, keys) as number
    from links
    where number = 1 and known and not to_follow and found <> xxhash64(to_utf8('')) and ts >= :start
        and keys not in (select keys from items)
)

select keys, ts, event_id, found, left_behind, xxhash64(to_utf8('')) as absent, null as beginnings
from changes
where keys in (select keys from items)
union all
select keys, ts, null, null, null, null, beginnings
from beginnings
where number <= :examples
