-- The images of changes, in DuckDB's own dialect: `image` and `times`, how often each is there. {changes} has new_image
-- and old_image, in any order. An image that a change left and the next row's found comes once, and is there twice.
select image, times
from (
    select
        unnest([new_image, case when old_image is distinct from left_before then old_image end]) as image,
        unnest([case when found_again then 2 else 1 end, 1]) as times
    from (
        select
            new_image,
            old_image,
            lead(old_image) over () = new_image as found_again,
            lag(new_image) over () as left_before
        from {changes} as changes
    ) as neighbours
) as images
where image is not null
