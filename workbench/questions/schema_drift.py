"""Which attributes there are, and of which types: `schema_drift.sql` read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa

from workbench.errors import RecordRefused
from workbench.model import attribute_paths
from workbench.questions.columns import DRIFT

_TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})


def drift(rows: pa.Table) -> tuple[pd.DataFrame, int]:
    """Read `schema_drift.sql`: attribute paths and their types, and how many items there were.

    Returns
    -------
    tuple
        A frame with one row a path and type: path, type (DynamoDB's), items (how many ever had it), share (of all
        items, 0 to 1), first_seen and last_seen (UTC); and the number of items.

    Examples
    --------
    >>> shape, moment = '{"pk":{"S":""}}', pd.Timestamp("2026-11-01")
    >>> row = {"shape": shape, "first_seen": moment, "last_seen": moment, "shapes": None, "items": None}
    >>> rows = [row, dict.fromkeys(row) | {"shapes": shape, "items": 3}]
    >>> df, items = drift(pa.Table.from_pylist(rows))
    >>> df[["path", "type", "items"]].to_dict("records"), items
    ([{'path': 'pk', 'type': 'S', 'items': 3}], 3)
    """
    seen: dict[tuple[str, str], list[Any]] = {}
    leaves_of: dict[str, set[tuple[str, str]]] = {}
    items = 0
    listed = rows.to_pylist()
    for row in (row for row in listed if row["shape"] is not None):
        leaves_of[row["shape"]] = set(_leaves(orjson.loads(row["shape"]), ""))
        for leaf in leaves_of[row["shape"]]:
            first, last, _ = seen.get(leaf, [row["first_seen"], row["last_seen"], 0])
            seen[leaf] = [min(first, row["first_seen"]), max(last, row["last_seen"]), 0]
    for row in (row for row in listed if row["shapes"] is not None):
        items += row["items"]
        for leaf in set().union(*(leaves_of[shape] for shape in row["shapes"].split("\n"))):
            seen[leaf][2] += row["items"]
    leaves = [(*leaf, count, count / max(items, 1), first, last) for leaf, (first, last, count) in seen.items()]
    df = pd.DataFrame(leaves, columns=list(DRIFT))
    for name in ("first_seen", "last_seen"):
        df[name] = pd.to_datetime(df[name], utc=True)
    return df.astype(dict(DRIFT)).sort_values(
        ["path", "items", "type"], ascending=[True, False, True], ignore_index=True
    ), items


def _leaves(image: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    """Yield the paths and types of a shape; the elements of a list are ``phones[]``."""
    for name, value in image.items():
        below = attribute_paths.column_name(("", name)).removeprefix('""')
        yield from _types(value, above + below if above else attribute_paths.column_name((name,)))


def _types(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    ((kind, inner),) = value.items()
    if kind == "M" and inner:
        yield from _leaves(inner, path)
        return
    if kind not in _TYPES:
        raise RecordRefused(f"unknown type {kind!r}")
    yield path, kind
    for element in inner if kind == "L" else ():
        yield from _types(element, f"{path}[]")
