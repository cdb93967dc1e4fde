"""Frames of items and of changes, their images flattened into typed columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from workbench.model import attribute_paths, attributes
from workbench.model.attributes import Numbers
from workbench.questions.columns import CHANGE
from workbench.sql.questions import Column

_DTYPES: Mapping[str, Any] = {"bigint": "Int64", "double": "float64", "boolean": "boolean", "varchar": "string"}


def item_frame(rows: pa.Table, keys: Sequence[str], *, numbers: Numbers, include_deleted: bool) -> pd.DataFrame:
    """Read `latest_state.sql`: one row an item, by key; see `Workbench.latest_state`."""
    rows = rows.sort_by("keys") if include_deleted else rows  # items of a table before have other keys: in their order
    images = rows.column("image").to_pylist()
    shown = (image or key for key, image in zip(rows.column("keys").to_pylist(), images, strict=True))
    df = attributes.frame(shown, keys=keys, numbers=numbers)
    changed = rows.column("ts").to_pandas().astype("datetime64[us]").dt.tz_localize("UTC")
    df["_changed_at"] = changed
    if include_deleted:
        gone = pd.Series([image is None for image in images], dtype=bool)
        df["_deleted_at"] = changed.where(gone)
        df["_by_ttl"] = rows.column("by_ttl").to_pandas().astype(bool)
    return _by_key(df, [attribute_paths.column_name((name,)) for name in keys], [])


def change_frame(rows: pa.Table, keys: Sequence[str], *, numbers: Numbers) -> pd.DataFrame:
    """Read `changes.sql`: one row a change, by time; see `Workbench.changes`."""
    df = key_frame(rows.column("keys").to_pylist(), keys, CHANGE)
    changes = rows.select(list(CHANGE)).to_pandas()
    changes["ts"] = changes["ts"].astype("datetime64[us]").dt.tz_localize("UTC")
    parts: list[pd.DataFrame] = [df, changes.astype(dict(CHANGE))]
    for side in ("new", "old"):
        images = rows.column(f"{side}_image").fill_null("{}").to_pylist()
        parts.append(attributes.frame(images, numbers=numbers).add_prefix(f"{side}."))
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
            parts.append(key_frame(values.to_pylist(), keys, others))
        elif column.type == "timestamp":
            times = values.cast(pa.timestamp("us")).to_pandas()
            parts.append(times.astype("datetime64[us]").dt.tz_localize("UTC").rename(column.name).to_frame())
        else:
            kind = _DTYPES.get(column.type, "object")
            parts.append(pd.Series(values.to_pylist(), dtype=object, name=column.name).astype(kind).to_frame())
    return pd.concat(parts, axis="columns") if parts else rows.to_pandas()


def key_frame(texts: Sequence[str], keys: Sequence[str], columns: Iterable[str]) -> pd.DataFrame:
    """Read keys into columns, called as `column_name` has it beside the answer's own columns.

    >>> key_frame(['{"pk":{"S":"p-1"},"ts":{"N":"7"}}'], ["pk", "ts"], ["ts", "event_name"]).to_dict("records")
    [{'pk': 'p-1', '"ts"': 7}]
    """
    different = list(dict.fromkeys(texts))
    number = {text: at for at, text in enumerate(different)}
    df = attributes.frame(different, keys=keys).take([number[text] for text in texts]).reset_index(drop=True)
    own = set(columns).intersection(df.columns)
    return df.rename(columns={name: attribute_paths.column_name((name,), beside=own) for name in own})


def shown(value: object) -> str:
    r"""Write a value for people: binary in hex, as a key takes it.

    >>> shown(b"\x01\xff"), shown(41)
    ('0x01ff', '41')
    """
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _by_key(df: pd.DataFrame, keys: Sequence[str], others: Sequence[str]) -> pd.DataFrame:
    order = [*others[:1], *keys, *others[1:]]
    return df.sort_values(order, key=_ordered, kind="stable", ignore_index=True)


def _ordered(column: pd.Series) -> pd.Series:
    """Return what a column is sorted by: numbers of any size as numbers, bytes as bytes, of several types by type."""
    if column.dtype != object:
        return column
    different = {_place(value) for value in column}
    number = {place: at for at, place in enumerate(sorted(different))}
    return column.map(lambda value: number[_place(value)])


def _place(value: Any) -> tuple[int, Any]:
    if isinstance(value, str):
        return 2, value
    if isinstance(value, bytes):
        return 1, value
    return (3, 0) if pd.isna(value) else (0, Decimal(value))
