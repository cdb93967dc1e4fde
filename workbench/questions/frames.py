"""Frames of items and of changes, their images flattened into typed columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.engines import images
from workbench.engines.images import as_texts
from workbench.model import attribute_paths
from workbench.model.typed_columns import encoded
from workbench.sql.questions import Column

_DTYPES: Mapping[str, Any] = {"bigint": "Int64", "double": "float64", "boolean": "boolean", "varchar": "string"}
_DTYPE_OF: Mapping[pa.DataType, Any] = {
    pa.int64(): pd.Int64Dtype(),
    pa.float64(): np.dtype("float64"),
    pa.bool_(): pd.BooleanDtype(),
    pa.string(): pd.StringDtype(),
}


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
            parts.append(times(values).rename(column.name).to_frame())
        else:
            parts.append(_cells(values, _DTYPES.get(column.type, "object")).rename(column.name).to_frame())
    return pd.concat(parts, axis="columns") if parts else rows.to_pandas()


def key_frame(texts: Sequence[str] | pa.ChunkedArray, keys: Sequence[str], columns: Iterable[str]) -> pd.DataFrame:
    """Read keys into columns, called as `column_name` has it beside the answer's own columns.

    >>> key_frame(['{"pk":{"S":"p-1"},"ts":{"N":"7"}}'], ["pk", "ts"], ["ts", "event_name"]).to_dict("records")
    [{'pk': 'p-1', '"ts"': 7}]
    """
    column = texts if isinstance(texts, pa.ChunkedArray) else pa.chunked_array([pa.array(texts, pa.string())])
    numbers, different = encoded(as_texts(column))
    df = images.frame(pa.chunked_array([different]), keys=keys).take(numbers).reset_index(drop=True)
    return beside_own(df, columns)


def beside_own(df: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """Call key attributes as `column_name` has it beside an answer's own columns.

    >>> list(beside_own(pd.DataFrame({"pk": [1], "ts": [2]}), ["ts", "event_name"]))
    ['pk', '"ts"']
    """
    own = set(columns).intersection(df.columns)
    return df.rename(columns={name: attribute_paths.column_name((name,), beside=own) for name in own})


def shown(value: object) -> str:
    r"""Write a value for people: binary in hex, as a key takes it.

    >>> shown(b"\x01\xff"), shown(41)
    ('0x01ff', '41')
    """
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def times(column: pa.ChunkedArray) -> pd.Series:
    """Return times in UTC, with microseconds."""
    in_utc: pd.Series = column.cast(pa.timestamp("us")).to_pandas().astype("datetime64[us]").dt.tz_localize("UTC")
    return in_utc


def by_key(columns: Sequence[pd.Series]) -> np.ndarray | None:
    """Return the places of rows in order of columns: numbers and bytes as such, values of several types by type.

    None says that they are in order.

    >>> by_key([pd.Series(["b", b"a", 10, 9])]).tolist()
    [3, 2, 1, 0]
    """
    table = pa.table({str(number): _ordered(column) for number, column in enumerate(columns)})
    order = [(name, "ascending") for name in table.column_names]
    if not order:
        return None
    places: np.ndarray = pc.sort_indices(table, sort_keys=order).to_numpy()  # stable; nulls last
    return None if (places[1:] > places[:-1]).all() else places


def _cells(values: pa.ChunkedArray, kind: str) -> pd.Series:
    """Return the values of a column in a dtype of pandas."""
    values = as_texts(values) if kind == "string" else values
    dtype = _DTYPE_OF.get(values.type)
    if dtype is not None and dtype == kind:
        cells: pd.Series = values.to_pandas(types_mapper=_DTYPE_OF.get)
        return cells
    return pd.Series(values.to_pylist(), dtype=object).astype(kind)  # type: ignore[call-overload,no-any-return]


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
