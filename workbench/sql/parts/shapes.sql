-- Which shapes the images of changes have, and how long the numbers in them are.
-- {deliveries}: event_name, canonical keys, new_image and old_image; {wanted}: a condition on them.
-- A shape is an image without its values: texts, numbers and binary '', sets empty, booleans true. So all images of a
-- shape have as many numbers, and sets of numbers, in the same order.
-- Rows: one a shape and position: 1 tells of the shape itself how many images have it; 2, 3, … of its numbers, and sets of
-- them, in their order, `digits` and `scale`, the most digits before and after the decimal point, and `int64`, 1 where
-- all are integers of 64 bits. `of_keys` tells the shapes of keys, which are there once more; `unknown` counts, among them,
-- the changes that do not say what they left.
select
    of_keys,
    shape,
    position,
    count(*) as images,
    max(digits) as digits,
    max(scale) as scale,
    min(int64) as int64,
    sum(case when is_unknown then 1 else 0 end) as unknown
from (
    select
        of_keys,
        is_unknown,
        shape,
        position,
        array_max(transform(extents, extent -> extent[1])) as digits,
        array_max(transform(extents, extent -> extent[2])) as scale,
        array_min(transform(extents, extent -> extent[3])) as int64
    from (
        select
            of_keys,
            is_unknown,
            shape,
            position,
            transform(
                transform(
                    regexp_extract_all(token, '-?[0-9.][0-9.eE+-]*'),
                    number -> array[
                        coalesce(length(regexp_extract(number, '^-?0*([0-9]*)', 1)), 0),
                        coalesce(length(regexp_extract(number, '\.([0-9]*)', 1)), 0),
                        coalesce(try_cast(regexp_extract(number, '[eE]([+-]?[0-9]+)$', 1) as bigint), 0),
                        case when try_cast(number as bigint) is not null then 1 else 0 end
                    ]
                ),
                measured -> array[
                    greatest(measured[1] + measured[3], 0),
                    greatest(measured[2] - measured[3], 0),
                    case
                        when measured[2] - measured[3] <= 0 and (measured[1] + measured[3] <= 18 or measured[4] = 1)
                            then 1
                        else 0
                    end
                ]
            ) as extents
        from (
            select
                which = 3 as of_keys,
                which = 3 and event_name <> 'REMOVE' and new_image is null as is_unknown,
                regexp_replace(
                    regexp_replace(
                        regexp_replace(image, '("[SNB]S":)\[(?:"(?:[^"\\]|\\.)*",?)*\]', '$1[]'),
                        '("[SNB]":)"(?:[^"\\]|\\.)*"', '$1""'
                    ),
                    '"BOOL":false', '"BOOL":true'
                ) as shape,
                regexp_extract_all(image, '"N":"[^"]*"|"NS":\["[^\]]*\]') as tokens
            from {deliveries} as log
            cross join unnest(array[new_image, old_image, keys]) with ordinality as images (image, which)
            where image is not null and {wanted}
        ) as shapes
        cross join unnest(array['0'] || tokens) with ordinality as numbers (token, position)
    ) as measured_numbers
) as extents_of_numbers
group by of_keys, shape, position
