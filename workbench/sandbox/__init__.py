"""DynamoDB, Kinesis and Firehose in small, on this machine; and generated tables, here or in DynamoDB.

- `item_store`: tables of items with DynamoDB's writes, limits, TTL and change capture; `database` is its SQLite file
- `stream_records`: change records as Kinesis Data Streams for DynamoDB writes them
- `delivery`: what Firehose does: captured changes become objects in the lake, with duplicates and delays on demand
- `table_export`: what DynamoDB's export to S3 does
- `datasets`: what the items of the generated tables are like, and their next versions
- `change_writer`: when their changes come, and which: new items, next versions, removals, bursts
- `generate`: a generated table with its past, in the embedded lake
- `dynamodb_writer`: the same changes written to a real table, from this machine or from a Lambda

Rooms above may use what is exported here, and every public name of these modules.
"""

from workbench.sandbox.delivery import Delivered as Delivered
from workbench.sandbox.delivery import Faults as Faults
from workbench.sandbox.delivery import deliver as deliver
from workbench.sandbox.item_store import ItemStore as ItemStore
from workbench.sandbox.table_export import export_table as export_table
