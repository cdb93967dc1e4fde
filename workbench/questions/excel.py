"""Frames for Excel: sheets of `.xlsx`, and texts of CSV that it does not take for formulas."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import ExportError
from workbench.questions.cells import cells_of, is_absent, text_of
from workbench.questions.large import Frame, none_of, parts

_EXCEL_ROWS = 1_048_575  # Excel's limit of 1,048,576 less the heading
_EXCEL_COLUMNS = 16_384
_EXCEL_TEXT = 32_767
# What Excel takes a text for a formula by, the wide forms too; a number is none.
_FORMULA = "\\A([=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])"
_NUMBER = r"\A[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\z"
# What XML cannot hold or would change, and a text that looks like Excel's way (ECMA-376, ST_Xstring) of writing it.
_EXCEL_ESCAPED = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def harmless(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Put ``'`` before the texts that Excel would take for formulas.

    >>> harmless(pa.array(["=1+1", "-5", "a"])).to_pylist()
    ["'=1+1", '-5', 'a']
    """
    marked = pc.replace_substring_regex(texts, _FORMULA, r"'\1")
    return pc.if_else(pc.match_substring_regex(texts, _NUMBER), texts, marked)


def write_excel(df: Frame, path: Path) -> None:
    """Write a frame as the sheet of a workbook; see `writers.write` for how values are written.

    Raises
    ------
    ExportError
        Where it has more rows or columns than a sheet, or a text is longer than a cell.
    """
    if len(df) > _EXCEL_ROWS:
        raise ExportError(f"{len(df):,} rows do not fit an Excel sheet (1,048,576): write .parquet or .csv")
    if len(df.columns) > _EXCEL_COLUMNS:
        raise ExportError(
            f"{len(df.columns):,} columns do not fit an Excel sheet ({_EXCEL_COLUMNS:,}): write .parquet "
            "or .csv, or maps whole (nested)"
        )
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("result")
    sheet.freeze_panes = "A2"
    times = [name for name, kind in none_of(df).dtypes.items() if pd.api.types.is_datetime64_any_dtype(kind)]
    fine = {name for part in (parts(df) if times else ()) for name in times if (part[name].dt.microsecond % 1000).any()}

    def typed(text: str, kind: str) -> Any:
        written = WriteOnlyCell(sheet, value=text)
        written.data_type = kind
        return written

    def cell(value: Any, name: Any = None) -> Any:
        if value is None or is_absent(value):
            return None
        if isinstance(value, pd.Timestamp):
            value = value.tz_localize(None)  # the wall clock; the heading names the zone
            return value.isoformat(" ", "microseconds") if name in fine else value.to_pydatetime()
        if isinstance(value, float):  # openpyxl would write 16 digits of the 17 some need
            return value if float(f"{value:.16g}") == value else typed(repr(value), "n")
        if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 10**15):
            return value
        if isinstance(value, Decimal) and len(value.normalize().as_tuple().digits) <= 15 and abs(value) < 10**300:
            return value
        text = _EXCEL_ESCAPED.sub(lambda match: f"_x{ord(match[0]):04X}_", text_of(value))
        if len(text) > _EXCEL_TEXT:
            raise ExportError(f"a text of {len(text):,} characters does not fit an Excel cell: write .parquet or .csv")
        return typed(text, "s")  # a text that begins with = is a text, not a formula

    try:
        sheet.append([cell(_zoned(name, kind)) for name, kind in none_of(df).dtypes.items()])
        for part in parts(df):
            for row in zip(*(cells_of(part[name]) for name in part.columns), strict=True):
                sheet.append([cell(value, name) for name, value in zip(part.columns, row, strict=True)])
    except ExportError:
        sheet.close()  # else openpyxl complains at the end of the process
        raise
    book.save(path)


def _zoned(name: Any, kind: Any) -> str:
    """Return a column's heading, with its time zone where that is not UTC."""
    zone = getattr(kind, "tz", None)
    return str(name) if zone is None or str(zone) == "UTC" else f"{name} ({zone})"
