-- What images hold at known paths with a type each, all together, in DuckDB's own dialect: one row.
-- {images}: a relation of `image`, a DynamoDB JSON text, and `times`, how often it is there. {pointers}: where the leaves
-- are; {cells}: the JSON text of each, null where the image does not have it in this type; {proven}: whether it holds
-- nothing else; {measured}: what is measured of numbers; {told}: what is told of the images that are proven, which have
-- `proven`, how often they are there. `others`: the images that are not, and their times.
with extracted as (
    select image, times, try(json_extract(image, {pointers})) as image_found  -- malformed JSON holds nothing
    from {images}
),

cells as (
    select image, times, image_found, {cells}
    from extracted
),

proven as (
    select *, case when {proven} then times end as proven
    from cells
),

measured as (
    select {measured}
    from proven
)

select {told}, sum(proven) as images, list({'image': image, 'times': times}) filter (where proven is null) as others
from measured
