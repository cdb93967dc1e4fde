"""The questions of `workbench/sql` as they can be asked in Athena's console, of one table of the catalog."""

from __future__ import annotations

from workbench.aws.partitions import partitions_of
from workbench.aws.table_definitions import table_input
from workbench.sql import layouts
from workbench.sql.literals import identifier
from workbench.sql.questions import load_question
from workbench.sql.templates import part

_PLACE = "s3://bucket/"
_CRAWLED = [(unit, "string") for unit in ("year", "month", "day", "hour")]


def named_query(
    name: str, *, database: str, table: str, layout: str, where: str = "true", crawled: bool = False
) -> str:
    """Render a question over a table, which whoever asks it in the console narrows or widens.

    One about a window of time is of what arrived in the last seven days, since a query that names no partition lists
    all of them and reads the whole log; one about states needs the whole log, and says so in its text. (Who asks by
    the workbench reads a checkpoint and the newer objects instead; which one that is, no text here could know.)

    Parameters
    ----------
    crawled
        Whether a crawler has made the table: its partitions are four columns.
    """
    described = table_input(table, _PLACE, layout=layout)
    columns = {column["Name"]: column["Type"] for column in described["StorageDescriptor"]["Columns"]}
    keys = [(key["Name"], key["Type"]) for key in described["PartitionKeys"]]
    partitions = (
        partitions_of(_CRAWLED, {}, {_PLACE: ("2026", "11", "18", "09")})
        if crawled
        else partitions_of(keys, described["Parameters"], location=_PLACE)
    )
    asked = load_question(name)
    deliveries = layouts.deliveries(
        f"{identifier(database)}.{identifier(table)}",
        columns,
        folder=table,
        within=partitions.lately() if is_windowed(name) else part("arrived_ever"),
        arrival=layouts.arrival() if asked.arrivals else None,
    )
    return asked.compose({}, deliveries=deliveries, matching=where)


def is_windowed(name: str) -> bool:
    """Return whether a question is about what happened in a window of time, not about states that it left.

    >>> is_windowed("changes"), is_windowed("latest_state"), is_windowed("chain_gaps")
    (True, False, False)
    """
    window = load_question(name).window
    return window is not None and window.first is not None
