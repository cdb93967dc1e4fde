-- Makes changes of the records that a reader found, whatever the file format, in DuckDB's own dialect.
-- {records}: event_id, event_name, table_name, ts, keys, new_image, old_image, size_bytes, by_ttl, aws_region, account_id,
-- object; twice, whether binary is encoded twice; certain, whether its layout is; has_new_images, whether its stream has them, as far as it
-- tells; is_json, whether its images are known to be JSON.
-- Parameters: :key_pattern, which matches keys that are canonical as they stand, and :image_pattern, which of all JSON
-- matches what is DynamoDB JSON.
-- Rows: deliveries; keys are null where the record is no change, or where only the slow reader can tell.
-- A record that may be flat, with attributes called new_image or old_image, is not certain: an envelope's images hold
-- its key, and one without any image is a removal.
-- An image that may hold binary encoded twice is marked by a space before it, and decoded only where it is compared or
-- answered.
with records as (
    {records}
),

changes as (
    select
        * exclude (keys, new_image, old_image),
        case when regexp_full_match(keys, :key_pattern) then keys else canonical_keys(keys, twice) end as keys,
        case
            when certain then true
            when new_image is null and old_image is null then event_name = 'REMOVE'
            else contains(coalesce(new_image, old_image), substr(rtrim(split_part(keys, '},"', 1), '}'), 2))
        end as is_told,
        new_image is not null as has_new,
        old_image is not null as has_old,
        case
            when regexp_full_match(new_image, :image_pattern) and (is_json or json_valid(new_image)) then case
                when twice and (contains(new_image, 'B":') or contains(new_image, 'BS":')) then ' ' || new_image
                else new_image
            end
            else checked_image(new_image, twice)
        end as new_image,
        case
            when regexp_full_match(old_image, :image_pattern) and (is_json or json_valid(old_image)) then case
                when twice and (contains(old_image, 'B":') or contains(old_image, 'BS":')) then ' ' || old_image
                else old_image
            end
            else checked_image(old_image, twice)
        end as old_image
    from records
),

images as (
    select
        * replace (nullif(new_image, '{}') as new_image, nullif(old_image, '{}') as old_image),
        has_new = (new_image is not null) and has_old = (old_image is not null) as are_images
    from changes
)

select
    event_id,
    event_name,
    table_name,
    ts,
    case when event_id <> '' and table_name <> '' and ts is not null and are_images and is_told
        -- JSON that is no text and no whole number
        and event_id[1] not in ('{', '[') and table_name[1] not in ('{', '[')
        and event_id not in ('true', 'false') and table_name not in ('true', 'false')
        and case when contains(event_id, '.') then try_cast(event_id as double) is null else true end
        and case when contains(table_name, '.') then try_cast(table_name as double) is null else true end
        and case event_name
            when 'INSERT' then old_image is null and (new_image is not null or not has_new_images)
            when 'MODIFY' then new_image is not null or not has_new_images
            when 'REMOVE' then new_image is null
            else false
        end
        then keys
    end as keys,
    new_image,
    old_image,
    size_bytes,
    coalesce(by_ttl and event_name = 'REMOVE', false) as by_ttl,
    aws_region,
    account_id,
    object
from images
