"""A DynamoDB table's past, from its change log: the public names."""

import typing

from workbench.errors import WorkbenchError as WorkbenchError
from workbench.version import __version__ as __version__

if typing.TYPE_CHECKING:
    from workbench.workbench import Workbench as Workbench

__all__ = ["Workbench", "WorkbenchError"]


def __getattr__(name: str) -> typing.Any:
    """Import the workbench when it is first used: that takes seconds, and the program must know Ctrl-C before."""
    if name != "Workbench":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from workbench.workbench import Workbench

    return globals().setdefault(name, Workbench)
