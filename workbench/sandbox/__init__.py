"""The local stand-in for DynamoDB, Kinesis and Firehose: an item store with change capture, and its delivery."""

from workbench.sandbox.delivery import Delivered as Delivered
from workbench.sandbox.delivery import Faults as Faults
from workbench.sandbox.delivery import deliver as deliver
from workbench.sandbox.item_store import ItemStore as ItemStore
from workbench.sandbox.table_export import export_table as export_table
