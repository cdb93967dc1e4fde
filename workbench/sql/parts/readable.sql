-- Whether a record is a change, by workbench.model.records' law: its keys and images are JSON without nulls by now.
-- {key} matches keys; {values}, the values of an image that hold no others, which become !, and {image} what is left.
coalesce(
    event_id <> '' and table_name <> '' and ts is not null
    and regexp_like(keys, {key})
    and (new_image is null or regexp_like(regexp_replace(new_image, {values}, '!'), {image}))
    and (old_image is null or regexp_like(regexp_replace(old_image, {values}, '!'), {image}))
    and case event_name
        when 'INSERT' then old_image is null and (new_image is not null or not has_new_images)
        when 'MODIFY' then new_image is not null or not has_new_images
        when 'REMOVE' then new_image is null
        else false
    end,
    false
)
