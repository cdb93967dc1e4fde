"""The cells of a frame as Arrow, text and JSON have them, without losing a digit."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa


def is_absent(value: Any) -> bool:
    """Return whether a cell holds nothing, which NULL and an empty text are not.

    >>> is_absent(pd.NA), is_absent(float("nan")), is_absent(None), is_absent("")
    (True, True, False, False)
    """
    return value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def to_arrow(df: pd.DataFrame, *, nested: bool = True) -> pa.Table:
    """Turn a frame into an Arrow table without losing a digit; `nested` keeps lists and bytes as they are.

    >>> to_arrow(pd.DataFrame({"n": [1, Decimal("1.5")], "tags": [["a"], pd.NA]}))["n"].to_pylist()
    [Decimal('1.0'), Decimal('1.5')]
    """
    arrays = {str(name): _arrow(df[name], nested) for name in df.columns}
    return pa.table(arrays) if arrays else pa.table({})


def _arrow(column: pd.Series, nested: bool) -> pa.Array:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        utc, zone = column.dt.tz_convert("UTC").dt.tz_localize(None), str(column.dt.tz)
        if zone != "UTC" and not nested:  # the wall clock, and how far it is from UTC
            return pa.array([None if is_absent(time) else time.isoformat(" ") for time in column], pa.string())
        return pa.array(utc.to_numpy("datetime64[us]"), pa.timestamp("us", zone))
    if column.dtype.kind == "m":
        micros = column.to_numpy("timedelta64[us]")
        return pa.array(micros, pa.duration("us")) if nested else _array(cells_of(column), nested)
    return pa.Array.from_pandas(column) if column.dtype != object else _array(cells_of(column), nested)


def _array(cells: Iterable[Any], nested: bool, text: Callable[[Any], str] | None = None) -> pa.Array:
    values = [None if is_absent(value) else value for value in cells]
    kinds = {type(value) for value in values if value is not None}
    if nested and kinds == {dict} and any(values):
        return _struct(values)
    plain = [sorted(value) if isinstance(value, frozenset) else value for value in values]
    if kinds and (
        kinds <= {int, Decimal} or kinds in ({bool}, {float}) or (nested and kinds in ({list}, {frozenset}, {bytes}))
    ):
        with suppress(pa.ArrowException, TypeError, OverflowError):  # elements of several types: JSON text holds them
            array = pa.array(plain, from_pandas=False)
            # What a reader would get otherwise: absent names as null, or more digits than a decimal of 38 holds.
            if array.to_pylist() == plain and not re.search("struct<>|decimal256", str(array.type)):
                return array
    text = text if text and len(kinds) > 1 else text_of
    return pa.array([None if value is None else text(value) for value in values], pa.string())


def _struct(values: Sequence[dict[str, Any] | None]) -> pa.Array:
    names = list(dict.fromkeys(name for value in values for name in value or ()))
    fields = [_array([(value or {}).get(name) for value in values], True, json_of) for name in names]
    return pa.StructArray.from_arrays(fields, names, mask=pa.array([value is None for value in values]))


def cells_of(column: pd.Series) -> Iterable[Any]:
    """Yield the values of a column as Python has them, durations as exact numbers of seconds."""
    if column.dtype.kind != "m":
        return column.astype(object)
    micros = column.to_numpy("timedelta64[us]")
    return [
        pd.NA if missing else Decimal(int(value)) / 1_000_000
        for value, missing in zip(micros.astype("int64"), np.isnat(micros), strict=True)
    ]


def text_of(value: Any) -> str:
    """Write a value as text: a text as it is, bytes as base64, all else as JSON has it.

    >>> text_of("a"), text_of(b"a"), text_of({"n": [1]})
    ('a', 'YQ==', '{"n":[1]}')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return str(value)
    return json_of(value)


def json_of(value: Any) -> str:
    """Write JSON with every digit of a Decimal, sets as sorted arrays, bytes as base64.

    >>> json_of([Decimal("1.10"), frozenset({"b", "a"}), b"a"])
    '[1.10,["a","b"],"YQ=="]'
    """
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{json_of(child)}" for key, child in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(json_of, value)) + "]"
    if isinstance(value, frozenset | set):
        return "[" + ",".join(map(json_of, sorted(value))) + "]"
    if isinstance(value, bytes):
        return json.dumps(base64.b64encode(value).decode())
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date):
        return json.dumps(value.isoformat())
    if isinstance(value, timedelta):
        return str(Decimal(value // timedelta(microseconds=1)) / 1_000_000)
    if hasattr(value, "item"):
        value = value.item()
    return json.dumps(value, ensure_ascii=False)
