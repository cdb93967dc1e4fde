"""The questions of `workbench/sql` as they can be asked in Athena's console, of one table of the catalog."""

from __future__ import annotations

from datetime import UTC, datetime

from workbench.aws.table_definitions import table_input
from workbench.sql import layouts, templates

_VALUES: dict[str, object] = {
    "start": datetime(2000, 1, 1, tzinfo=UTC),
    "end": datetime(2100, 1, 1, tzinfo=UTC),
    "present": datetime(2100, 1, 1, tzinfo=UTC),
    "as_of": datetime(2100, 1, 1, tzinfo=UTC),
    "include_deleted": False,
    "unit": "hour",
    "limit": 20,
    "examples": 10,
    "late_arrival": 24 * 3600,
    "large": 400_000,
}


def named_query(question: str, *, database: str, table: str, layout: str, where: str = "") -> str:
    """Render a question over a table, for all times: who asks it again narrows the times, and the partitions."""
    described = table_input(table, "s3://bucket/", layout=layout)
    columns = {column["Name"]: column["Type"] for column in described["StorageDescriptor"]["Columns"]}
    text = templates.whole(question)
    deliveries = layouts.deliveries(
        f"{templates.identifier(database)}.{templates.identifier(table)}",
        columns,
        folder=table,
        arrival=layouts.arrival() if "arrival" in text else None,
    )
    values = {name: value for name, value in _VALUES.items() if f":{name}" in text}
    names = {"deliveries": deliveries, "canonical": "image", "matching": templates.matching(where=where)}
    return templates.compose(question, values, names)
