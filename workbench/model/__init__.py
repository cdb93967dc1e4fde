"""What a change, an item, a key, a time and a condition are: no input, no output, no SQL.

- `canonical`: the one spelling of numbers, images, keys and times; equal values have equal text
- `records`: a record of Kinesis or DynamoDB Streams, and the canonical change it is; the columns of a change
- `attribute_paths`: ``person."first.name"`` and ``phones[0].number``, as text and as tuples
- `items`: an item's values, DynamoDB JSON to Python and back, losing nothing
- `attributes`: items as pandas columns, typed and flattened, and back
- `keys`: keys as people give them, typed as the table's key is
- `conditions`: conditions on attributes: their grammar, their tree, and where they hold
- `differences`: what changed between two images of an item, and applying it
- `ordering`: the changes of one item in the order their images follow on
- `merging`: what an item is to be when changes of it are taken back
- `stream_views`: which images the records of a stream have
- `times`: instants, windows and lengths of time as people write them

Rooms above may use every public name of these modules. `canonical` and `records` run in Lambdas too, and need the
standard library and `workbench.errors` only.
"""
