-- What did each instant of an item leave? latest_state.sql says by which rules the changes of one instant are settled;
-- here they are for every instant, and what an instant is settled by is looked for among all before it.
-- Parameters: :as_of, a time in UTC, inclusive; {items}, a condition on keys; {canonical}, the canonical form of the
-- column image.
-- Rows: one an item and instant. kind is what the item was after it: there, gone, or unknown, where its changes do not
-- say. made is whether it made that, which changes that take each other back do not, nor what a baseline says that was
-- known; event_id is of the change that left the image; changes, how many distinct ones there were; by_ttl is 1 where one
-- was a removal by TTL.
with log as (
    select keys, ts, event_id, event_name, new_image, old_image, by_ttl, count(*) over (partition by keys, ts) as peers
    from {deliveries}
    where ts <= :as_of and ({items})
),

sides as (  -- one row a distinct change and image: side 1 is the image it left, -1 the one it found
    select
        keys,
        ts,
        event_id,
        side,
        max(peers) as peers,
        max(case when by_ttl then 1 else 0 end) as by_ttl,
        max(case when event_name <> 'INSERT' and old_image is null then 1 else 0 end) as old_unknown,
        max(case event_name when 'INSERT' then 1 when 'REMOVE' then -1 else 0 end) as came,
        max(case when event_name <> 'REMOVE' and new_image is null then 1 else 0 end) as new_unknown,
        max(case when event_name = 'BASELINE' then 1 else 0 end) as of_baseline,
        max(coalesce(case when side = 1 then new_image else old_image end, '')) as image
    from log
    cross join (values (1), (-1)) as both_sides (side)
    where peers > 1 or side = 1
    group by keys, ts, event_id, side
),

images as (  -- one row an image of an instant: how often it is left over
    select
        keys,
        ts,
        case when peers > 1 then {canonical} end as canonical,
        max(image) as image,
        max(peers) as peers,
        max(case when side = 1 then by_ttl else 0 end) as by_ttl,
        max(old_unknown) as old_unknown,
        sum(case when side = 1 then came else 0 end) as came,
        max(case when side = 1 then abs(came) else 0 end) as came_or_went,
        max(new_unknown) as new_unknown,
        max(of_baseline) as of_baseline,
        sum(side) as left_over,
        sum(case when side = 1 then 1 else 0 end) as changes,
        max(case when side = 1 then event_id end) as last_event_id
    from sides
    group by keys, ts, case when peers > 1 then {canonical} end
),

totals as (  -- one row an instant
    select
        keys,
        ts,
        sum(changes) as changes,
        count(*) as images_seen,
        max(by_ttl) as by_ttl,
        max(old_unknown) as old_unknown,
        max(new_unknown) as new_unknown,
        max(of_baseline) as of_baseline,
        sum(came) as came,
        max(came_or_went) as came_or_went,
        sum(abs(left_over)) as left_over,
        sum(case when image <> '' and changes > 0 then 1 else 0 end) as new_images,
        max_by(image, left_over) as image_over,
        max_by(last_event_id, left_over) as event_over,
        max_by(image, last_event_id) as newest_image,
        max(last_event_id) as newest_event,
        coalesce(max_by(image, case when image <> '' then last_event_id end), '') as newest_there,
        max(case when image <> '' then last_event_id end) as newest_event_there,
        array_agg(canonical) filter (where peers > 1) as images
    from images
    group by keys, ts
),

instants as (
    select
        keys,
        ts,
        changes,
        by_ttl,
        of_baseline,
        new_unknown,
        new_images,
        images,
        case
            when new_unknown = 1 then 'undecided'
            when changes = 1 or images_seen = 1 then 'decided'
            when old_unknown = 1 then case
                when came < 0 then 'decided'
                when came = 0 and came_or_went = 1 then 'as before'
                when new_images = 1 then 'decided'
                else 'undecided'
            end
            when left_over = 2 then 'decided'
            when left_over = 0 then 'cycle'
            else 'undecided'
        end as verdict,
        case
            when changes = 1 or old_unknown = 0 then image_over
            when came < 0 then ''
            else newest_there
        end as left_image,
        case when changes = 1 or old_unknown = 0 then event_over else newest_event_there end as left_by,
        case
            when changes = 1 or old_unknown = 0 then newest_image
            when came < 0 then ''
            else newest_there
        end as last_image,
        case when changes = 1 or old_unknown = 0 then newest_event else newest_event_there end as last_by
    from totals
),

befores as (  -- with what the last instant left that is no cycle, and the last that tells whether the item is there
    select
        keys,
        ts,
        changes,
        by_ttl,
        of_baseline,
        images,
        verdict,
        last_image,
        last_by,
        last_value(case
            when verdict = 'decided' then left_image
            when verdict <> 'cycle' then last_image
        end) ignore nulls over so_far as before_image,
        last_value(case
            when verdict = 'decided' then coalesce(left_by, '')
            when verdict <> 'cycle' then coalesce(last_by, '')
        end) ignore nulls over so_far as before_by,
        last_value(case when verdict <> 'cycle' then verdict end) ignore nulls over so_far as before_verdict,
        last_value(case when verdict <> 'cycle' then new_unknown end) ignore nulls over so_far as new_unknown,
        last_value(case when verdict <> 'cycle' then new_images end) ignore nulls over so_far as new_images,
        last_value(case
            when verdict = 'decided' then left_image
            when verdict not in ('cycle', 'as before') then last_image
        end) ignore nulls over so_far as image_once,
        last_value(case when verdict not in ('cycle', 'as before') then verdict end)
            ignore nulls over so_far as verdict_once
    from instants
    window so_far as (partition by keys order by ts rows between unbounded preceding and current row)
),

presences as (
    select
        keys,
        ts,
        changes,
        by_ttl,
        of_baseline,
        images,
        verdict,
        last_image,
        last_by,
        case
            when before_verdict = 'as before' and coalesce(image_once, '') = '' then ''
            else coalesce(before_image, '')
        end as image,
        before_by,
        case
            when before_verdict <> 'as before' then before_verdict
            when image_once <> '' and new_images > 1 then 'undecided'
            else verdict_once
        end as before_verdict,
        coalesce(new_unknown, 0) = 1 as unknown
    from befores
),

fitting as (  -- the state before a cycle is one of its images, as it must be where no record is missing
    select
        *,
        case when verdict = 'cycle' then coalesce(contains(images, {canonical}), false) else true end as fits
    from presences
),

states as (
    select
        keys,
        ts,
        case when unknown then 'unknown' when case when fits then image else last_image end = '' then 'gone' else 'there' end
            as kind,
        case when fits then image else last_image end as image,
        case when fits then before_by else last_by end as event_id,
        changes,
        by_ttl,
        not unknown and (not fits or coalesce(before_verdict, 'undecided') = 'undecided') as ambiguous,
        verdict = 'cycle' and fits as came_to_nothing,
        of_baseline
    from fitting
),

known as (  -- images that a baseline and the change before it tell are compared in canonical form
    select
        *,
        case when of_baseline + lead(of_baseline, 1, 0) over (partition by keys order by ts) > 0 then {canonical} end
            as canonical
    from states
)

select
    keys,
    ts,
    kind,
    image,
    event_id,
    changes,
    by_ttl,
    ambiguous,
    not came_to_nothing and not (
        of_baseline = 1
        and kind = coalesce(lag(kind) over by_time, '')
        and canonical = coalesce(lag(canonical) over by_time, '')
    ) as made
from known
window by_time as (partition by keys order by ts)
