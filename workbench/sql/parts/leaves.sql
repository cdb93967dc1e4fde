-- The attributes of images, at known paths with a type each, in DuckDB's own dialect: one row an image, in their order.
-- {images}: a relation; {image}: its column of DynamoDB JSON texts, not null. {pointers}: where the leaves are; {cells}:
-- the JSON text of each, null where the image does not have it in this type; {proven}: whether it holds nothing else.
with extracted as (
    select {image} as image, try(json_extract({image}, {pointers})) as image_found  -- malformed JSON holds nothing
    from {images}
),

cells as (
    select image, image_found, {cells}
    from extracted
)

select {names}, {proven} as proven
from cells
