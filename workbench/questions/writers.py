"""Writes a DataFrame as Parquet, CSV, TSV, Excel, JSON or JSON Lines, exactly and atomically."""

from __future__ import annotations

import base64
import codecs
import gzip
import hashlib
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from workbench import paths
from workbench.errors import ExportError
from workbench.questions.cells import cells_of, is_absent, json_of, write_tables
from workbench.questions.excel import harmless, write_excel
from workbench.questions.large import Frame, none_of, parts
from workbench.questions.nesting import nest_parts
from workbench.version import __version__

if TYPE_CHECKING:
    import boto3

    from workbench.aws.files import S3Files


def write(
    df: Frame,
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
        parquet, csv, tsv, xlsx, json or jsonl, of which those that are text may end in .gz; by the file's ending where
        not given.
    nested
        Put flattened columns together again, see `nesting.nest`: structs in Parquet, objects in JSON, JSON text in CSV
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

    Examples
    --------
    >>> import pandas as pd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(pd.DataFrame({"pk": ["a"], "n": [1]}), Path(folder, "persons.csv")).read_text()
    '"pk","n"\\n"a",1\\n'
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
    df = nest_parts(df) if nested else df
    if excel and kind not in ("csv", "csv.gz"):
        raise ExportError(f"{path}: excel is for CSV; write .xlsx as it is")
    notes = alike(df) if kind == "parquet" else []
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    if meta is not None:
        meta = {**meta, "notes": [*meta.get("notes", ()), *notes]}
    writer = partial(_WRITERS[kind], excel=True) if excel else _WRITERS[kind]
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
    kind = kind_of(str(place), kind)
    if kind not in _WRITERS:
        raise ExportError(
            f"{path}: cannot write {kind or 'a file without ending'!r}; use one of .{', .'.join(_WRITERS)}"
        )
    beside = f"{place}.meta.json" if isinstance(place, str) else sidecar_of(place)
    for each in (place, beside) if sidecar else (place,):
        if not overwrite and (each.exists() if isinstance(each, Path) else _s3_files(session).exists(each)):
            raise paths.already_there(each)
    return place, kind


def kind_of(path: str, kind: str | None = None) -> str:
    """Return the kind of a file: as it ends, or the given one, which an ending in .gz compresses.

    >>> kind_of("a.b.CSV.gz"), kind_of("persons.json"), kind_of("persons.gz", "csv"), kind_of("persons")
    ('csv.gz', 'json', 'csv.gz', '')
    """
    last, *before = reversed([ending.lstrip(".").lower() for ending in Path(path).suffixes] or [""])
    if kind is None:
        return f"{before[0]}.gz" if last == "gz" and before else last
    return f"{kind}.gz" if last == "gz" and f"{kind}.gz" in _WRITERS else kind


def _s3_files(session: boto3.Session | None) -> S3Files:
    from workbench.aws.files import S3Files  # boto3, which an answer in a file does without

    assert session  # paths.writable saw to it
    return S3Files(session, ExportError)


def sidecar_of(path: Path) -> Path:
    """Name the file that says what another one holds, and where it is from.

    >>> sidecar_of(Path("persons.csv")).name
    'persons.csv.meta.json'
    """
    return Path(f"{path}.meta.json")


def _described(df: Frame, file: Path, meta: Mapping[str, Any]) -> str:
    with file.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    about = {
        **meta,
        "rows": len(df),
        "columns": {str(name): str(kind) for name, kind in none_of(df).dtypes.items()},
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


def _write_parquet(df: Frame, path: Path) -> None:
    def write(schema: pa.Schema, tables: Iterator[pa.Table]) -> None:
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table)

    write_tables(df, write)


def alike(df: Frame) -> list[str]:
    """Name the columns that are one to a reader that does not tell capitals from small letters.

    >>> import pandas as pd
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


@contextmanager
def _opened(path: Path, compressed: bool) -> Iterator[BinaryIO]:
    """Open a file to be written; what is compressed tells neither its name nor when that was."""
    with path.open("wb") as file:
        if not compressed:
            yield file
            return
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            yield packed  # type: ignore[misc] # a BinaryIO in all but name


def _write_csv(df: Frame, path: Path, *, excel: bool = False, delimiter: str = ",", compressed: bool = False) -> None:
    def write(schema: pa.Schema, tables: Iterator[pa.Table]) -> None:
        names = harmless(pa.array(schema.names, pa.string())).to_pylist() if excel else schema.names
        heading = pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)])
        with _opened(path, compressed) as file:
            if excel:
                file.write(codecs.BOM_UTF8)
            with pacsv.CSVWriter(file, heading, write_options=pacsv.WriteOptions(delimiter=delimiter)) as writer:
                for table in tables:
                    columns = [_harmless(column) if excel else column for column in table.columns]
                    writer.write_table(pa.Table.from_arrays(columns, schema=heading))

    write_tables(df, write, nested=False)


def _harmless(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return harmless(column) if text else column


def to_json(df: Frame) -> Iterator[str]:
    """Yield pieces of the JSON array that `write` writes: an object a row, without what the row does not have.

    >>> import pandas as pd
    >>> "".join(to_json(pd.DataFrame({"pk": ["a"], "n": [pd.NA]})))
    '[{"pk":"a"}]'
    """
    before = "["
    for text in to_json_lines(df):
        yield before + text.removesuffix("\n")
        before = ",\n "
    yield "]" if before != "[" else "[]"


def to_json_lines(df: Frame) -> Iterator[str]:
    """Yield the rows as `to_json` writes them, each an object on a line of its own.

    >>> import pandas as pd
    >>> list(to_json_lines(pd.DataFrame({"pk": ["a", "b"]})))
    ['{"pk":"a"}\\n', '{"pk":"b"}\\n']
    """
    names = [json.dumps(str(name), ensure_ascii=False) for name in df.columns]
    for part in parts(df):
        columns = [cells_of(part[name]) for name in part.columns]
        for row in zip(*columns, strict=True):
            cells = (f"{name}:{json_of(value)}" for name, value in zip(names, row, strict=True) if not is_absent(value))
            yield "{" + ",".join(cells) + "}\n"


def _write_json(df: Frame, path: Path, *, lines: bool = False, compressed: bool = False) -> None:
    with _opened(path, compressed) as file:
        file.writelines(text.encode() for text in (to_json_lines(df) if lines else to_json(df)))
        file.write(b"" if lines else b"\n")


_TEXTS: dict[str, Callable[..., None]] = {
    "csv": _write_csv,
    "tsv": partial(_write_csv, delimiter="\t"),
    "json": _write_json,
    "jsonl": partial(_write_json, lines=True),
}
_WRITERS: dict[str, Callable[..., None]] = {
    "parquet": _write_parquet,
    "xlsx": write_excel,
    **_TEXTS,
    **{f"{kind}.gz": partial(writer, compressed=True) for kind, writer in _TEXTS.items()},
}
KINDS = tuple(_WRITERS)
"""The kinds of files, as their names end."""
