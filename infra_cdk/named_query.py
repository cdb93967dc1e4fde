"""The questions of `workbench/sql` as they can be asked in Athena's console, of one table of the catalog."""

from __future__ import annotations

from workbench.aws.table_definitions import table_input
from workbench.sql import layouts
from workbench.sql.literals import identifier
from workbench.sql.questions import load_question


def named_query(name: str, *, database: str, table: str, layout: str, where: str = "true") -> str:
    """Render a question over a table, for all times: who asks it again narrows the times, and the partitions."""
    described = table_input(table, "s3://bucket/", layout=layout)
    columns = {column["Name"]: column["Type"] for column in described["StorageDescriptor"]["Columns"]}
    asked = load_question(name)
    deliveries = layouts.deliveries(
        f"{identifier(database)}.{identifier(table)}",
        columns,
        folder=table,
        arrival=layouts.arrival() if asked.arrivals else None,
    )
    return asked.compose({}, deliveries=deliveries, matching=where)
