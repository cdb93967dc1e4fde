"""Writes a DataFrame as Parquet, CSV, Excel or JSON, exactly and atomically."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from workbench.errors import ExportError

_EXCEL_ROWS = 1_048_575  # Excel's limit of 1,048,576 less the heading
_EXCEL_TEXT = 32_767
# What XML cannot hold or would change, and a text that looks like Excel's way (ECMA-376, ST_Xstring) of writing it.
_EXCEL_ESCAPED = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def write(df: pd.DataFrame, path: str | Path, kind: str | None = None, *, overwrite: bool = False) -> Path:
    """Write a frame to a file, under a temporary name first, and return its path.

    Numbers keep every digit, times are UTC, and ``''`` stays apart from a missing value (in CSV: ``""``
    against nothing). Sets and lists are written as lists in Parquet where their elements are of one type,
    as JSON text elsewhere; bytes as base64 in text formats; numbers of more than 38 digits in one column
    are text. In Excel, numbers of more than 15 digits and times finer than a millisecond are text, since
    Excel would round them, times are without their zone, and control characters are written ``_x0001_``.

    Parameters
    ----------
    kind
        parquet, csv, xlsx or json; by the file's ending where not given.

    Raises
    ------
    ExportError
        Where the file exists and `overwrite` is not set, the kind is unknown, or the file cannot be written.
    """
    target, kind = destination(path, kind, overwrite=overwrite)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _WRITERS[kind](df, part)
        os.replace(part, target)
    except OSError as error:
        raise ExportError(f"{target} could not be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return target


def destination(path: str | Path, kind: str | None = None, *, overwrite: bool = False) -> tuple[Path, str]:
    """Check where `write` would write, and as what, before a long question is asked for it."""
    if "://" in str(path):
        raise ExportError(f"{path}: only files can be written so far; write one and copy it there")
    target = Path(path).expanduser()
    kind = kind or target.suffix.lstrip(".").lower()
    if kind not in _WRITERS:
        raise ExportError(f"{target}: cannot write {kind or 'a file without ending'!r}; "
                          f"use one of .{', .'.join(_WRITERS)}")  # fmt: skip
    if target.exists() and not overwrite:
        raise ExportError(f"{target} exists already: choose another name or overwrite it (--overwrite)")
    return target, kind


def to_arrow(df: pd.DataFrame, *, nested: bool = True) -> pa.Table:
    """Turn a frame into an Arrow table without losing a digit; `nested` keeps lists and bytes as they are."""
    arrays = {str(name): _arrow(df[name], nested) for name in df.columns}
    return pa.table(arrays) if arrays else pa.table({})


def _arrow(column: pd.Series, nested: bool) -> pa.Array:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        utc = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return pa.array(utc.to_numpy("datetime64[us]"), pa.timestamp("us", "UTC"))
    if column.dtype != object:
        return pa.Array.from_pandas(column)
    values = [None if value is pd.NA else value for value in column]
    kinds = {type(value) for value in values if value is not None}
    plain = [sorted(value) if isinstance(value, frozenset) else value for value in values]
    if kinds and (kinds <= {int, Decimal} or kinds == {bool} or (nested and kinds in ({list}, {frozenset}, {bytes}))):
        with suppress(pa.ArrowException, TypeError, OverflowError):  # elements of several types: JSON text holds them
            array = pa.array(plain, from_pandas=False)
            # What a reader would get otherwise: absent names as null, or more digits than a decimal of 38 holds.
            if array.to_pylist() == plain and not re.search("struct<>|decimal256", str(array.type)):
                return array
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return str(value)
    return _json(value)


def _json(value: Any) -> str:
    """Write JSON with every digit of a Decimal, sets as sorted arrays, bytes as base64."""
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_json(child)}" for key, child in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, frozenset | set):
        return "[" + ",".join(map(_json, sorted(value))) + "]"
    if isinstance(value, bytes):
        return json.dumps(base64.b64encode(value).decode())
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, pd.Timestamp):
        return json.dumps(value.isoformat())
    if hasattr(value, "item"):
        value = value.item()
    return json.dumps(value, ensure_ascii=False)


def _write_parquet(df: pd.DataFrame, path: Path) -> None:
    pq.write_table(to_arrow(df), path, compression="zstd")


def _write_csv(df: pd.DataFrame, path: Path) -> None:
    pacsv.write_csv(to_arrow(df, nested=False), path)


def _write_excel(df: pd.DataFrame, path: Path) -> None:
    if len(df) > _EXCEL_ROWS:
        raise ExportError(f"{len(df):,} rows do not fit an Excel sheet (1,048,576): write .parquet or .csv")
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("result")
    sheet.freeze_panes = "A2"
    fine = {name for name in df.columns if pd.api.types.is_datetime64_any_dtype(df[name])
            and (df[name].dt.microsecond % 1000).any()}  # fmt: skip

    def typed(text: str, kind: str) -> Any:
        written = WriteOnlyCell(sheet, value=text)
        written.data_type = kind
        return written

    def cell(value: Any, name: Any = None) -> Any:
        if value is None or _missing(value):
            return None
        if isinstance(value, pd.Timestamp):
            value = value.tz_convert(None) if value.tzinfo else value
            return value.isoformat(" ", "microseconds") if name in fine else value.to_pydatetime()
        if isinstance(value, float):  # openpyxl would write 16 digits of the 17 some need
            return value if float(f"{value:.16g}") == value else typed(repr(value), "n")
        if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 10**15):
            return value
        if isinstance(value, Decimal) and len(value.normalize().as_tuple().digits) <= 15 and abs(value) < 10**300:
            return value
        text = _EXCEL_ESCAPED.sub(lambda match: f"_x{ord(match[0]):04X}_", _text(value))
        if len(text) > _EXCEL_TEXT:
            raise ExportError(f"a text of {len(text):,} characters does not fit an Excel cell: write .parquet or .csv")
        return typed(text, "s")  # a text that begins with = is a text, not a formula

    try:
        sheet.append([cell(str(name)) for name in df.columns])
        for row in zip(*(df[name].astype(object) for name in df.columns), strict=True):
            sheet.append([cell(value, name) for name, value in zip(df.columns, row, strict=True)])
    except ExportError:
        sheet.close()  # else openpyxl complains at the end of the process
        raise
    book.save(path)


def to_json(df: pd.DataFrame) -> str:
    """Return the JSON array that `write` writes: an object a row, without what the row does not have."""
    names = [json.dumps(str(name), ensure_ascii=False) for name in df.columns]
    columns = [df[name].astype(object) for name in df.columns]
    rows = []
    for row in zip(*columns, strict=True):
        cells = (f"{name}:{_json(value)}" for name, value in zip(names, row, strict=True) if not _missing(value))
        rows.append("{" + ",".join(cells) + "}")
    return "[" + ",\n ".join(rows) + "]"


def _write_json(df: pd.DataFrame, path: Path) -> None:
    path.write_text(to_json(df) + "\n", encoding="utf-8")


def _missing(value: Any) -> bool:
    return value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "parquet": _write_parquet, "csv": _write_csv, "xlsx": _write_excel, "json": _write_json,
}  # fmt: skip
