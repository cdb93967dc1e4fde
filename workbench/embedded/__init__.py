"""The local stand-in for DynamoDB, Kinesis and Firehose: an item store with change capture, and its delivery."""

from workbench.embedded.backup import export_table as export_table
from workbench.embedded.delivery import Delivered as Delivered
from workbench.embedded.delivery import Faults as Faults
from workbench.embedded.delivery import deliver as deliver
from workbench.embedded.store import ItemStore as ItemStore
