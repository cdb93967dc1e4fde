"""A change log as it is stored: its objects and their readers, exports of the table, checkpoints, Regions and keys.

- `objects`: one object of a log: its format, its lines, when it arrived; Arrow's schema of a change
- `listing`: the objects under a folder, and what else lies among them
- `compression`: formats, and their content unpacked
- `containers`: what records are wrapped in (arrays, envelopes of Kinesis, SQS, EventBridge …), taken off
- `flat`: rows with one plain column an attribute
- `reader`: every change of an object in any layout, and why each other line is none
- `contents`: the Regions, accounts, keys and times under a table's name; the one table that is meant
- `arrivals`: the time zone of a log's folders and names
- `backup_items`: the items in what people keep as a backup
- `exports`, `export_manifests`: exports of a table to S3, as the state to begin with
- `store`: the columnar store of a log: which of its objects are in which of the `segments`
- `store_upkeep`: the stores of all logs listed, verified, cleared, kept below a size
- `checkpoints`: what a log came to at a time, kept
- `files`: files beside a log, here or in S3

Rooms above may use every public name of these modules. Nothing here writes SQL or talks to AWS: what lies in S3 is
handed in, as `files.Files` and `exports.Mirror`.
"""
