"""A DynamoDB table's past, from its change log: the public names."""

from workbench.errors import WorkbenchError as WorkbenchError
from workbench.workbench import Workbench as Workbench

__all__ = ["Workbench", "WorkbenchError"]
