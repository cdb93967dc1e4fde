-- What is in the table, or what was in it at :as_of?
--
-- Parameters:
--   :as_of timestamp = end            inclusive, UTC
--   :include_deleted boolean = false  show items that are gone too
-- Window: until :as_of
-- Filter: image
-- Reads: keys, images
-- Rows: one an item; gone ones also where they are ambiguous. Of a filter on numbers, what equals its number but for
--   digits beyond the 15th is let through.
-- Columns:
--   keys varchar                    canonical DynamoDB JSON
--   image varchar                   DynamoDB JSON, null where the item is gone
--   ts timestamp                    its last change, UTC
--   by_ttl boolean                  whether that was a removal by TTL
--   ambiguous boolean               changes of one instant could not be settled by their images, see below
--   unknown boolean                 its last change does not say what it left, as in a log of keys only
--   ended boolean                   it was there when the table was made again with another key, since when it is not
--
-- Changes of one instant are settled by their images: each change takes its old image away and leaves its new
-- one, and the one image left over is the state; where none is, the state is the one before. '' is no image.
-- Where old images are not known, events tell whether the item is there afterwards: an INSERT more than REMOVEs, and it
-- is; one less, and it is not; as many of both, and it is there if it was before. Its image is the newest by event_id.
-- An item is ambiguous where this does not settle it, because a record is missing or nothing before them is known: then
-- event_id decides, or, for an item that came and went in its first instant, that it was not there.
with candidates as (
    {candidates}
),

sides as (  -- one row a distinct change and image: side 1 is the image it left, -1 the one it found
    select
        keys,
        group_no,
        event_id,
        side,
        max(peers) as peers,
        max(ts) as ts,
        max(case when by_ttl then 1 else 0 end) as by_ttl,
        max(case when event_name <> 'INSERT' and old_image is null then 1 else 0 end) as old_unknown,
        max(case event_name when 'INSERT' then 1 when 'REMOVE' then -1 else 0 end) as came,
        max(case when event_name <> 'REMOVE' and new_image is null then 1 else 0 end) as new_unknown,
        max(coalesce(case when side = 1 then new_image else old_image end, '')) as image
    from candidates
    cross join (values (1), (-1)) as both_sides (side)
    where peers > 1 or side = 1
    group by keys, group_no, event_id, side
),

images as (  -- one row an image of a group: how often it is left over
    select
        keys,
        group_no,
        case when peers > 1 then {canonical} end as canonical,
        max(image) as image,
        max(peers) as peers,
        max(ts) as ts,
        max(case when side = 1 then by_ttl else 0 end) as by_ttl,
        max(old_unknown) as old_unknown,
        sum(case when side = 1 then came else 0 end) as came,
        max(case when side = 1 then abs(came) else 0 end) as came_or_went,
        max(new_unknown) as new_unknown,
        sum(side) as left_over,
        sum(case when side = 1 then 1 else 0 end) as changes,
        max(case when side = 1 then event_id end) as last_event_id
    from sides
    group by keys, group_no, case when peers > 1 then {canonical} end
),

instants as (  -- one row a group of changes of one item at one instant
    select
        keys,
        group_no,
        max(ts) as ts,
        max(by_ttl) as by_ttl,
        max(new_unknown) as new_unknown,
        case
            when max(new_unknown) = 1 then 'undecided'
            when sum(changes) = 1 or count(*) = 1 then 'decided'
            when max(old_unknown) = 1 then case
                when sum(came) < 0 then 'decided'
                when sum(came) = 0 and max(came_or_went) = 1 then 'as before'
                when sum(case when image <> '' and changes > 0 then 1 else 0 end) = 1 then 'decided'
                else 'undecided'
            end
            when sum(abs(left_over)) = 2 then 'decided'
            when sum(abs(left_over)) = 0 then 'cycle'
            else 'undecided'
        end as verdict,
        sum(case when image <> '' and changes > 0 then 1 else 0 end) as new_images,
        case
            when sum(changes) = 1 or max(old_unknown) = 0 then max_by(image, left_over)
            when sum(came) < 0 then ''
            else coalesce(max_by(image, case when image <> '' then last_event_id end), '')
        end as left_image,
        case
            when sum(changes) = 1 or max(old_unknown) = 0 then max_by(image, last_event_id)
            when sum(came) < 0 then ''
            else coalesce(max_by(image, case when image <> '' then last_event_id end), '')
        end as last_image,
        array_agg(canonical) filter (where peers > 1) as images
    from images
    group by keys, group_no
),

items as (  -- one row an item: its last group, and before_image from the last group that is no cycle
    select
        keys,
        max(ts) as ts,
        max_by(by_ttl, -group_no) as by_ttl,
        max_by(verdict, -group_no) as verdict,
        max_by(images, -group_no) as images,
        max_by(last_image, -group_no) as last_image,
        coalesce(max_by(
            case verdict when 'decided' then left_image else last_image end,
            case when verdict <> 'cycle' then -group_no end
        ), '') as before_image,
        max_by(verdict, case when verdict <> 'cycle' then -group_no end) as before_verdict,
        max_by(new_unknown, case when verdict <> 'cycle' then -group_no end) as new_unknown,
        max_by(new_images, case when verdict <> 'cycle' then -group_no end) as new_images,
        max_by(
            case verdict when 'decided' then left_image else last_image end,
            case when verdict not in ('cycle', 'as before') then -group_no end
        ) as image_once,
        max_by(verdict, case when verdict not in ('cycle', 'as before') then -group_no end) as verdict_once
    from instants
    group by keys
),

presences as (  -- an instant that leaves an item there or not as it was: the last one before that tells
    select
        keys,
        ts,
        by_ttl,
        verdict,
        images,
        last_image,
        new_unknown,
        case
            when before_verdict = 'as before' and coalesce(image_once, '') = '' then ''
            else before_image
        end as image,
        case
            when before_verdict <> 'as before' then before_verdict
            when image_once <> '' and new_images > 1 then 'undecided'
            else verdict_once
        end as before_verdict
    from items
),

states as (  -- fits: the state before a cycle is one of its images, as it must be where no record is missing
    select
        keys,
        ts,
        by_ttl,
        verdict,
        before_verdict,
        image,
        last_image,
        coalesce(new_unknown, 0) = 1 as unknown,
        case when verdict = 'cycle' then coalesce(contains(images, {canonical}), false) else true end as fits
    from presences
),

answers as (
    select
        keys,
        nullif(case when fits then image else last_image end, '') as image,
        ts,
        by_ttl = 1 and case when fits then image else last_image end = '' as by_ttl,
        not unknown and (not fits or coalesce(before_verdict, 'undecided') = 'undecided') as ambiguous,
        unknown,
        {alive} as alive
    from states
),

living as (
    select
        keys,
        case when alive then image end as image,
        ts,
        by_ttl,
        alive and ambiguous as ambiguous,
        alive and unknown as unknown,
        not alive and image is not null as ended
    from answers
)

select keys, image, ts, by_ttl, ambiguous, unknown, ended
from living
where (:include_deleted or image is not null or ambiguous or unknown) and (unknown or ({matching}))
