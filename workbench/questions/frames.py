"""Frames of items and of changes, their images flattened into typed columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.engines import images
from workbench.engines.images import as_texts
from workbench.model import attribute_paths
from workbench.model.attributes import Numbers
from workbench.model.typed_columns import encoded
from workbench.questions.columns import CHANGE
from workbench.sql.questions import Column

_DTYPES: Mapping[str, Any] = {"bigint": "Int64", "double": "float64", "boolean": "boolean", "varchar": "string"}


def item_frame(
    rows: pa.Table, keys: Sequence[str], *, numbers: Numbers, include_deleted: bool, threads: int | None = None
) -> pd.DataFrame:
    """Read `latest_state.sql`: one row an item, by key; see `Workbench.latest_state`."""
    rows = rows.sort_by("keys") if include_deleted else rows  # items of a table before have other keys: in their order
    left = rows.column("image")
    shown = pc.coalesce(as_texts(left).cast(pa.large_string()), as_texts(rows.column("keys")).cast(pa.large_string()))
    df = images.frame(shown, keys=keys, numbers=numbers, threads=threads)
    changed = _times(rows.column("ts"))
    df["_changed_at"] = changed
    if include_deleted:
        df["_deleted_at"] = changed.where(left.is_null().to_numpy())
        df["_by_ttl"] = rows.column("by_ttl").to_pandas().astype(bool)
    return _by_key(df, [attribute_paths.column_name((name,)) for name in keys], [])


def change_frame(rows: pa.Table, keys: Sequence[str], *, numbers: Numbers, threads: int | None = None) -> pd.DataFrame:
    """Read `changes.sql`: one row a change, by time; see `Workbench.changes`."""
    df = key_frame(rows.column("keys"), keys, CHANGE)
    changes = rows.select(list(CHANGE)).to_pandas()
    changes["ts"] = _times(rows.column("ts"))
    parts: list[pd.DataFrame] = [df, changes.astype(dict(CHANGE))]
    for side in ("new", "old"):
        there = as_texts(rows.column(f"{side}_image")).fill_null("{}")
        parts.append(images.frame(there, numbers=numbers, threads=threads).add_prefix(f"{side}."))
    return _by_key(pd.concat(parts, axis="columns"), list(df.columns), ["ts", "event_id"])


def answer_frame(rows: pa.Table, columns: Sequence[Column], keys: Sequence[str]) -> pd.DataFrame:
    """Read the answer to any question by the columns that its head declares.

    Returns
    -------
    pandas.DataFrame
        In the order of the answer: the key attributes in place of a column ``keys``, times as datetime64[us, UTC],
        bigint as Int64, double as float64, boolean as boolean, varchar as string; others as the engine gives them.
    """
    parts = []
    for column in columns:
        values = rows.column(column.name)
        if column.name == "keys":
            others = [each.name for each in columns if each.name != "keys"]
            parts.append(key_frame(values, keys, others))
        elif column.type == "timestamp":
            parts.append(_times(values).rename(column.name).to_frame())
        else:
            kind = _DTYPES.get(column.type, "object")
            parts.append(pd.Series(values.to_pylist(), dtype=object, name=column.name).astype(kind).to_frame())
    return pd.concat(parts, axis="columns") if parts else rows.to_pandas()


def key_frame(texts: Sequence[str] | pa.ChunkedArray, keys: Sequence[str], columns: Iterable[str]) -> pd.DataFrame:
    """Read keys into columns, called as `column_name` has it beside the answer's own columns.

    >>> key_frame(['{"pk":{"S":"p-1"},"ts":{"N":"7"}}'], ["pk", "ts"], ["ts", "event_name"]).to_dict("records")
    [{'pk': 'p-1', '"ts"': 7}]
    """
    column = texts if isinstance(texts, pa.ChunkedArray) else pa.chunked_array([pa.array(texts, pa.string())])
    numbers, different = encoded(as_texts(column))
    df = images.frame(pa.chunked_array([different]), keys=keys).take(numbers).reset_index(drop=True)
    own = set(columns).intersection(df.columns)
    return df.rename(columns={name: attribute_paths.column_name((name,), beside=own) for name in own})


def shown(value: object) -> str:
    r"""Write a value for people: binary in hex, as a key takes it.

    >>> shown(b"\x01\xff"), shown(41)
    ('0x01ff', '41')
    """
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _times(column: pa.ChunkedArray) -> pd.Series:
    """Return times in UTC, with microseconds."""
    times: pd.Series = column.cast(pa.timestamp("us")).to_pandas().astype("datetime64[us]").dt.tz_localize("UTC")
    return times


def _by_key(df: pd.DataFrame, keys: Sequence[str], others: Sequence[str]) -> pd.DataFrame:
    order = [*others[:1], *keys, *others[1:]]
    columns = {str(number): _ordered(df[name]) for number, name in enumerate(order)}
    if not columns:
        return df
    at = pc.sort_indices(pa.table(columns), sort_keys=[(name, "ascending") for name in columns])  # stable; nulls last
    return df.take(at.to_numpy()).reset_index(drop=True)


def _ordered(column: pd.Series) -> pa.Array:
    """Return what a column is sorted by: numbers of any size as numbers, bytes as bytes, of several types by type."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return pa.array(column.dt.tz_convert(None).to_numpy())
    if column.dtype != object:
        return pa.Array.from_pandas(column)
    different = {_place(value) for value in column}
    number = {place: at for at, place in enumerate(sorted(different))}
    return pa.array([number[_place(value)] for value in column], pa.int64())


def _place(value: Any) -> tuple[int, Any]:
    if isinstance(value, str):
        return 2, value
    if isinstance(value, bytes):
        return 1, value
    return (3, 0) if pd.isna(value) else (0, Decimal(value))
