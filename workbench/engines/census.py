"""What a query counts in the objects of a log: its tables, Regions, accounts, keys and times, and unreadable lines."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from workbench.aws.files import S3Files
from workbench.aws.log_tables import LogTable
from workbench.aws.session import Session
from workbench.errors import StoreError
from workbench.log.contents import Part
from workbench.log.listing import list_objects
from workbench.log.objects import Object, Unreadable
from workbench.log.reader import read_changes
from workbench.sql.filters import key_schema
from workbench.sql.templates import part

_LOOKED_INTO = 20  # objects with unreadable lines that are fetched to name the lines


def census(lines: str) -> str:
    """Write the query that counts what lines hold, of a relation that tells which are `readable`."""
    return part("census", key_schema=key_schema(), deliveries=lines)


def contents_of(counts: pa.Table) -> list[Part]:
    """Return what a census found of changes."""
    return [
        Part(
            row["table_name"],
            row["aws_region"],
            row["account_id"],
            row["key_schema"],
            row["changes"],
            *(datetime.fromisoformat(row[name]) for name in ("first_change", "last_change")),
        )
        for row in counts.to_pylist()
        if row["path"] is None
    ]


def unreadable_of(
    counts: pa.Table, log: LogTable, objects: Sequence[Object], session: Session, keys: Sequence[str]
) -> Iterator[tuple[Object, tuple[Unreadable, ...]]]:
    """Yield, of each object, the lines a census found unreadable: a few objects are fetched to name theirs.

    Parameters
    ----------
    keys
        The key attributes of a flat log that does not name them.
    """
    rows: list[dict[str, Any]] = counts.to_pylist()
    found = {row["path"]: row["changes"] for row in rows if row["path"] is not None}
    fetched = 0
    for item in objects:
        if item.path not in found:
            yield item, ()
            continue
        unreadable = _lines(session, item, keys) if fetched < _LOOKED_INTO else []
        fetched += 1
        if (rest := found[item.path] - len(unreadable)) > 0:
            why = f"{rest:,} {'more ' if len(unreadable) else ''}lines are no change record"
            if log.layout == "struct":
                why += ", or have values of types that the table's columns do not hold: run the crawler again"
            unreadable.append(Unreadable(item.path, 0, why))
        yield item, tuple(unreadable)


def _lines(session: Session, item: Object, keys: Sequence[str]) -> list[Unreadable]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, item.path.rpartition("/")[2])
        try:
            S3Files(session).download(item.path, path)
        except StoreError:
            return []
        changes = (each for local in list_objects(path) for each in read_changes(local, keys))
        return [replace(each, object=item.path) for each in changes if isinstance(each, Unreadable)]
