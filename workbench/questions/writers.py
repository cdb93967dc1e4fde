"""Writes a DataFrame as Parquet, CSV, Excel or JSON, exactly and atomically."""

from __future__ import annotations

import base64
import codecs
import hashlib
import json
import re
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import permutations
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from workbench import paths
from workbench.errors import ExportError, ParameterError
from workbench.model.attribute_paths import RESERVED, column_name, column_path
from workbench.version import __version__

if TYPE_CHECKING:
    import boto3

    from workbench.aws.files import S3Files

_EXCEL_ROWS = 1_048_575  # Excel's limit of 1,048,576 less the heading
_EXCEL_COLUMNS = 16_384
_EXCEL_TEXT = 32_767
# What Excel takes a text for a formula by, the wide forms too; a number is none.
_FORMULA = "\\A([=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])"
_NUMBER = r"\A[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\z"
# What XML cannot hold or would change, and a text that looks like Excel's way (ECMA-376, ST_Xstring) of writing it.
_EXCEL_ESCAPED = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def write(
    df: pd.DataFrame,
    path: str | Path,
    kind: str | None = None,
    *,
    overwrite: bool = False,
    nested: bool = False,
    excel: bool = False,
    meta: Mapping[str, Any] | None = None,
    session: boto3.Session | None = None,
) -> Path | str:
    """Write a frame to a file or an object in S3, whole or not at all, and return its path.

    Numbers keep every digit, times their zone's wall clock, and ``''`` stays apart from a missing value (in CSV:
    ``""`` against nothing). Sets and lists are written as lists in Parquet where their elements are of one type,
    as JSON text elsewhere; bytes as base64 in text formats; numbers of more than 38 digits in one column
    are text. Durations are of microseconds in Parquet, elsewhere exact numbers of seconds. In Excel, numbers of
    more than 15 digits and times finer than a millisecond are text, since Excel would round them, the heading names
    the zone of times where it is not UTC (in CSV and JSON they end with their offset), and control characters are
    written ``_x0001_``.

    Parameters
    ----------
    kind
        parquet, csv, xlsx or json; by the file's ending where not given.
    nested
        Put flattened columns together again, see `nest`: structs in Parquet, objects in JSON, JSON text in CSV
        and Excel. A field of a struct is null where it is absent or NULL, and JSON text where its values are of
        several types or empty maps.
    excel
        CSV for Excel: with a byte order mark, so that it is read as UTF-8, and with ``'`` before a text or a heading
        that begins like a formula (``= + - @``, a tab, a line's end), which Excel would run. Else texts are exact.
    meta
        What to say of the frame in a second file, ``FILE.meta.json``, beside what it holds of every file:
        rows, columns and their types, nested, when and by which version it was written, its SHA-256.
    session
        For ``s3://bucket/key``.

    Raises
    ------
    ExportError
        Where a file exists and `overwrite` is not set, the kind is unknown, or a file cannot be written.

    Warns
    -----
    UserWarning
        Where a Parquet file has columns that readers such as Athena take for one, ``Email`` and ``email``.
    """
    place, kind = destination(path, kind, overwrite=overwrite, sidecar=meta is not None, session=session)
    if isinstance(place, str):
        files = _s3_files(session)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, place.rpartition("/")[2])
            write(df, file, kind, nested=nested, excel=excel, meta=meta)
            files.put(file, place, overwrite=overwrite)
            if meta is not None:
                files.put(sidecar_of(file), f"{place}.meta.json", overwrite=overwrite)
        return place
    target = place
    df = nest(df) if nested else df
    if excel and kind != "csv":
        raise ExportError(f"{path}: excel is for CSV; write .xlsx as it is")
    notes = alike(df) if kind == "parquet" else []
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    if meta is not None:
        meta = {**meta, "notes": [*meta.get("notes", ()), *notes]}
    writer = partial(_write_csv, excel=True) if excel else _WRITERS[kind]
    sidecar = nullcontext() if meta is None else paths.write_atomically(sidecar_of(target))
    try:
        # The file takes its place first: cut short in between, the old sidecar does not have the new file's hash.
        with sidecar as about, paths.write_atomically(target) as part:
            writer(df, part)
            if about and meta is not None:
                described = _described(df, part, {**meta, "nested": nested})
                about.write_text(described, "utf-8", "backslashreplace")  # \udc80 is JSON's too
    except OSError as error:
        raise ExportError(f"{target} could not be written: {error.strerror or error}") from error
    return target


def destination(
    path: str | Path,
    kind: str | None = None,
    *,
    overwrite: bool = False,
    sidecar: bool = False,
    session: boto3.Session | None = None,
) -> tuple[Path | str, str]:
    """Check where `write` would write, and as what, before a long question is asked for it.

    Returns
    -------
    tuple
        The file, or the object's ``s3://`` address as text, and the kind.
    """
    place = paths.writable(path, session)
    kind = kind or Path(str(place)).suffix.lstrip(".").lower()
    if kind not in _WRITERS:
        raise ExportError(
            f"{path}: cannot write {kind or 'a file without ending'!r}; use one of .{', .'.join(_WRITERS)}"
        )
    beside = f"{place}.meta.json" if isinstance(place, str) else sidecar_of(place)
    for each in (place, beside) if sidecar else (place,):
        if not overwrite and (each.exists() if isinstance(each, Path) else _s3_files(session).exists(each)):
            raise paths.already_there(each)
    return place, kind


def _s3_files(session: boto3.Session | None) -> S3Files:
    from workbench.aws.files import S3Files  # boto3, which an answer in a file does without

    assert session  # paths.writable saw to it
    return S3Files(session, ExportError)


def sidecar_of(path: Path) -> Path:
    """Name the file that says what another one holds, and where it is from."""
    return Path(f"{path}.meta.json")


def nest(df: pd.DataFrame) -> pd.DataFrame:
    """Put flattened columns together again: one column a top-level attribute, its maps as dicts.

    An absent attribute is in no dict, NULL is None. Columns that are no part of a map stay as they are, and so
    do columns of which one holds a value where another has something under it.

    >>> nest(pd.DataFrame({"pk": ["a"], "person.age": [41], 'person."first.name"': ["Ann"]})).loc[0].to_list()
    ['a', {'age': 41, 'first.name': 'Ann'}]
    """
    paths_of = {name: _path(name) for name in df.columns}
    tops = {path[0] for path in paths_of.values() if len(path) > 1}
    columns: dict[Any, pd.Series] = {}
    for name, path in paths_of.items():
        if not path or path[0] not in tops:
            columns[name] = df[name]
        elif column_name(path[:1]) not in columns and name not in columns:
            group = {each: other for each, other in paths_of.items() if other[:1] == path[:1]}
            cells = {each: list(df[each].astype(object)) for each in group}
            columns |= (
                {each: df[each] for each in group}
                if _overlap(group, cells)
                else {column_name(path[:1]): _together(group, cells, df.index)}
            )
    return pd.DataFrame(columns, index=df.index)


def _path(name: Any) -> tuple[str, ...]:
    try:
        return () if name in RESERVED else column_path(str(name))
    except ParameterError:
        return ()


def _overlap(paths: Mapping[str, tuple[str, ...]], cells: Mapping[str, list[Any]]) -> bool:
    """Return whether a row has a value in one column and under it in another."""
    filled = {name: [not is_absent(value) for value in values] for name, values in cells.items()}
    pairs = ((one, other) for one, other in permutations(paths, 2) if paths[other][: len(paths[one])] == paths[one])
    return any(any(map(and_, filled[one], filled[other])) for one, other in pairs)


def _together(paths: Mapping[str, tuple[str, ...]], cells: Mapping[str, list[Any]], index: pd.Index) -> pd.Series:
    rows = np.full(len(index), pd.NA, dtype=object)
    for name, (_, *parents) in paths.items():
        for at, value in enumerate(cells[name]):
            if is_absent(value):
                continue
            if not parents:
                rows[at] = value
                continue
            target = rows[at] = {} if rows[at] is pd.NA else rows[at]
            for parent in parents[:-1]:
                target = target.setdefault(parent, {})
            target[parents[-1]] = value
    return pd.Series(rows, index, dtype=object)


def _described(df: pd.DataFrame, file: Path, meta: Mapping[str, Any]) -> str:
    with file.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    about = {
        **meta,
        "rows": len(df),
        "columns": {str(name): str(df[name].dtype) for name in df.columns},
        "written_at": datetime.now(UTC),
        "workbench": __version__,
        "sha256": digest,
    }
    return json.dumps(about, indent=2, ensure_ascii=False, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    """Turn what JSON does not have into what it has, for people to read."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return sorted(value, key=str) if isinstance(value, set | frozenset) else str(value)


def to_arrow(df: pd.DataFrame, *, nested: bool = True) -> pa.Table:
    """Turn a frame into an Arrow table without losing a digit; `nested` keeps lists and bytes as they are."""
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
        return pa.array(micros, pa.duration("us")) if nested else _array(_cells(column), nested)
    return pa.Array.from_pandas(column) if column.dtype != object else _array(_cells(column), nested)


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
    text = text if text and len(kinds) > 1 else _text
    return pa.array([None if value is None else text(value) for value in values], pa.string())


def _struct(values: Sequence[dict[str, Any] | None]) -> pa.Array:
    names = list(dict.fromkeys(name for value in values for name in value or ()))
    fields = [_array([(value or {}).get(name) for value in values], True, _json) for name in names]
    return pa.StructArray.from_arrays(fields, names, mask=pa.array([value is None for value in values]))


def _cells(column: pd.Series) -> Iterable[Any]:
    """Yield the values of a column as Python has them, durations as exact numbers of seconds."""
    if column.dtype.kind != "m":
        return column.astype(object)
    micros = column.to_numpy("timedelta64[us]")
    return [
        pd.NA if missing else Decimal(int(value)) / 1_000_000
        for value, missing in zip(micros.astype("int64"), np.isnat(micros), strict=True)
    ]


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
    if isinstance(value, date):
        return json.dumps(value.isoformat())
    if isinstance(value, timedelta):
        return str(Decimal(value // timedelta(microseconds=1)) / 1_000_000)
    if hasattr(value, "item"):
        value = value.item()
    return json.dumps(value, ensure_ascii=False)


def _write_parquet(df: pd.DataFrame, path: Path) -> None:
    pq.write_table(to_arrow(df), path, compression="zstd")


def alike(df: pd.DataFrame) -> list[str]:
    """Name the columns that are one to a reader that does not tell capitals from small letters.

    >>> alike(pd.DataFrame(columns=["Email", "email", "pk"]))[0][:40]
    'the columns Email and email are one to r'
    """
    names: dict[str, list[str]] = {}
    for name in map(str, df.columns):
        names.setdefault(name.casefold(), []).append(name)
    return [
        f"the columns {' and '.join(same)} are one to readers that do not tell capitals from small letters, as "
        "Athena and Spark do not"
        for same in names.values()
        if len(same) > 1
    ]


def _write_csv(df: pd.DataFrame, path: Path, *, excel: bool = False) -> None:
    table = to_arrow(df, nested=False)
    if not excel:
        pacsv.write_csv(table, path)
        return
    table = table.rename_columns(_harmless(pa.array(table.column_names, pa.string())).to_pylist())
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            table = table.set_column(at, field.name, _harmless(table.column(at)))
    with path.open("wb") as file:
        file.write(codecs.BOM_UTF8)
        pacsv.write_csv(table, file)


def _harmless(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Put ``'`` before the texts that Excel would take for formulas."""
    marked = pc.replace_substring_regex(texts, _FORMULA, r"'\1")
    return pc.if_else(pc.match_substring_regex(texts, _NUMBER), texts, marked)


def _write_excel(df: pd.DataFrame, path: Path) -> None:
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
    fine = {
        name
        for name in df.columns
        if pd.api.types.is_datetime64_any_dtype(df[name]) and (df[name].dt.microsecond % 1000).any()
    }

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
        text = _EXCEL_ESCAPED.sub(lambda match: f"_x{ord(match[0]):04X}_", _text(value))
        if len(text) > _EXCEL_TEXT:
            raise ExportError(f"a text of {len(text):,} characters does not fit an Excel cell: write .parquet or .csv")
        return typed(text, "s")  # a text that begins with = is a text, not a formula

    try:
        sheet.append([cell(_zoned(df, name)) for name in df.columns])
        for row in zip(*(_cells(df[name]) for name in df.columns), strict=True):
            sheet.append([cell(value, name) for name, value in zip(df.columns, row, strict=True)])
    except ExportError:
        sheet.close()  # else openpyxl complains at the end of the process
        raise
    book.save(path)


def _zoned(df: pd.DataFrame, name: Any) -> str:
    """Return a column's heading, with its time zone where that is not UTC."""
    zone = getattr(df[name].dtype, "tz", None)
    return str(name) if zone is None or str(zone) == "UTC" else f"{name} ({zone})"


def to_json(df: pd.DataFrame) -> str:
    """Return the JSON array that `write` writes: an object a row, without what the row does not have."""
    names = [json.dumps(str(name), ensure_ascii=False) for name in df.columns]
    columns = [_cells(df[name]) for name in df.columns]
    rows = []
    for row in zip(*columns, strict=True):
        cells = (f"{name}:{_json(value)}" for name, value in zip(names, row, strict=True) if not is_absent(value))
        rows.append("{" + ",".join(cells) + "}")
    return "[" + ",\n ".join(rows) + "]"


def _write_json(df: pd.DataFrame, path: Path) -> None:
    path.write_text(to_json(df) + "\n", encoding="utf-8")


def is_absent(value: Any) -> bool:
    """Return whether a cell holds nothing, which NULL and an empty text are not.

    >>> is_absent(pd.NA), is_absent(float("nan")), is_absent(None), is_absent("")
    (True, True, False, False)
    """
    return value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
    "xlsx": _write_excel,
    "json": _write_json,
}
