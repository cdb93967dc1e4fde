"""Reads an object of a change log line by line, in any layout.

The engines read clean objects with their own fast readers. This reader is for the others: it keeps every good change,
and says of every other line why it is none.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from workbench.errors import RecordRefused
from workbench.log.compression import UNREAD
from workbench.log.containers import Foreign, Text, is_change, unwrapped, values_of
from workbench.log.flat import flat_change
from workbench.log.objects import Object, Unreadable, first_line, read_lines
from workbench.model.records import (
    COLUMNS,
    canonical_change,
    layout_of_record,
    parse_objects,
)

Layout = Literal["envelope", "raw", "flat", "wrapped", "unknown"]
_PARTITION = re.compile(r"\w+=.*|\d+")
_IMAGES = ("keys", "newimage", "oldimage", "new_image", "old_image")
_CAPITALS = {"EVENT_ID", "EVENT_NAME", "KEYS"}
_BATCH = 1_000  # rows of a Parquet object made Python at a time


def layout_of(item: Object) -> tuple[Layout, bool, tuple[str, ...]]:
    """Return an object's layout, whether records share a line, and the key names, by its first record."""
    try:
        return _layout_of(item)
    except OSError:  # the line reader says what is the matter
        return "unknown", False, ()


def _layout_of(item: Object) -> tuple[Layout, bool, tuple[str, ...]]:
    if item.format == "parquet":
        row = _first_row(item)
        return (layout_of_record(row) or "unknown") if row else "unknown", False, key_names(row)
    if item.format == "orc":
        _, row = next(_read_orc(item), (0, {}))
        return ("unknown" if not is_change(row) else "envelope" if "event_id" in row else "raw"), False, ()
    (number, first), *others = [*islice(values_of(read_lines(item)), 2)] or [(0, None)]
    joined = any(line == number for line, _ in others)
    first = _in_our_case(first)
    inner, wrapper = next(unwrapped(first), (None, ""))
    if is_change(inner) and (wrapper or not _is_on_a_line(item)):
        return "wrapped", False, ()
    if wrapper or not isinstance(first, dict):
        return "unknown", False, ()
    return layout_of_record(first) or "unknown", joined, key_names(first)


def key_names(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a record's key attributes; () where it does not say.

    >>> key_names({"dynamodb": {"Keys": {"pk": {"S": "p-1"}}}}), key_names({"keys": '{"id":{"N":"7"}}'})
    (('pk',), ('id',))
    """
    change = record.get("dynamodb")
    keys = change.get("Keys") if isinstance(change, dict) else record.get("keys")
    if isinstance(keys, str):
        try:
            keys = json.loads(keys)
        except (ValueError, RecursionError):
            return ()
    return tuple(keys) if isinstance(keys, dict) else ()


def _in_our_case(row: Any) -> Any:
    """Return an envelope whose names are in capitals, as Snowflake writes them, with ours."""
    if not isinstance(row, dict) or not row.keys() >= _CAPITALS or row.keys() & {"keys", "dynamodb"}:
        return row
    return {name.lower() if name.lower() in COLUMNS else name: value for name, value in row.items()}


def _first_row(item: Object) -> dict[str, Any]:
    try:
        with pq.ParquetFile(item.path) as file:
            row: dict[str, Any] = next((batch.to_pylist()[0] for batch in file.iter_batches(1)), {})
            return dict(_in_our_case(row))
    except (pa.ArrowException, OSError):
        return {}


def envelope_columns(item: Object) -> tuple[str, ...]:
    """Return the columns of a Parquet object that DuckDB can read as an envelope; () where it has to be read by row."""
    try:
        schema = pq.read_schema(item.path)
    except (pa.ArrowException, OSError):
        return ()
    needed = {"event_id", "event_name", "table_name", "ts", "keys"}
    if not needed <= {*schema.names} or not {"new_image", "old_image"} & {*schema.names} or "dynamodb" in schema.names:
        return ()
    kinds = {name: schema.field(name).type for name in COLUMNS if name in schema.names}
    odd = pa.types.is_integer(kinds["ts"]) or any(map(pa.types.is_nested, kinds.values()))
    return () if odd or any(map(pa.types.is_binary, kinds.values())) else tuple(schema.names)


def _is_on_a_line(item: Object) -> bool:
    return not isinstance(next(parse_objects(first_line(item)), None), RecordRefused)


def read_changes(
    item: Object, keys: Sequence[str] = (), wrapped: Counter[str] | None = None
) -> Iterator[dict[str, Any] | Unreadable]:
    """Yield every change of an object, in any layout, and an `Unreadable` for all that is none.

    An object without any change is named once, by what it is. `wrapped` counts the changes that were wrapped, by what
    they were wrapped in.

    >>> from tempfile import TemporaryDirectory
    >>> from workbench.log.objects import stored_object
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.json")
    ...     _ = path.write_text("not a record")
    ...     [each.reason for each in read_changes(stored_object(path))]
    ['not JSON at character 1: Expecting value']
    """
    refused: list[tuple[int, RecordRefused]] | None = []  # until there is a change
    for number, change in _read_records(item, keys, Counter() if wrapped is None else wrapped):
        if not isinstance(change, RecordRefused):
            yield from (Unreadable(item.path, line, str(error)) for line, error in refused or ())
            refused = None
            yield change
        elif refused is None:
            yield Unreadable(item.path, number, str(change))
        else:
            refused.append((number, change))
    yield from _what_it_is(item, refused or ())


def _what_it_is(item: Object, refused: Sequence[tuple[int, RecordRefused]]) -> Iterator[Unreadable]:
    """Yield what an object without changes is, and what is wrong with lines that could be changes."""
    recognised: Counter[str] = Counter()
    for number, error in refused:
        if isinstance(error, Foreign):
            recognised[str(error)] += 1
        elif isinstance(error, Text) and len(refused) > 1:
            recognised["text that is no JSON"] += 1
        else:
            yield Unreadable(item.path, 0 if item.format in UNREAD else number, str(error))
    for what, count in recognised.items():
        yield Unreadable(item.path, 0, f"{what} ({count:,} lines or records)" if count > 1 else what)


def _read_records(
    item: Object, keys: Sequence[str], wrapped: Counter[str]
) -> Iterator[tuple[int, dict[str, Any] | RecordRefused]]:
    folder = next((part for part in reversed(Path(item.path).parts[:-1]) if not _PARTITION.fullmatch(part)), "")
    read = {"orc": _read_orc, "parquet": _read_parquet}.get(item.format)
    for number, outer in read(item) if read else values_of(read_lines(item)):
        for value, wrapper in unwrapped(_in_our_case(outer)):
            try:
                if isinstance(value, RecordRefused):
                    raise value
                change = _change(value, keys, folder)
            except RecordRefused as error:
                yield number, RecordRefused(f"{wrapper}: {error}") if wrapper and error is not value else error
                continue
            if wrapper:
                wrapped[wrapper] += 1
            yield number, change


def _read_orc(item: Object) -> Iterator[tuple[int, Any]]:
    try:
        file = orc.ORCFile(item.path)
        if any(pa.types.is_nested(field.type) for field in file.schema):
            # pyarrow 25 does not give back what it wrote, where a struct within a struct is null
            yield 0, RecordRefused("an ORC file with nested columns, which is not read: make Parquet of it (CTAS)")
            return
        rows = (row for stripe in range(file.nstripes) for row in file.read_stripe(stripe).to_pylist())
        yield from enumerate(rows, start=1)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        yield 0, RecordRefused(f"ORC object cannot be read: {str(error).splitlines()[0]}")


def _read_parquet(item: Object) -> Iterator[tuple[int, Any]]:
    try:
        with pq.ParquetFile(item.path) as file:
            rows = (row for batch in file.iter_batches(_BATCH) for row in batch.to_pylist())
            yield from enumerate(map(_of_structs, rows), start=1)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        yield 0, RecordRefused(f"Parquet object cannot be read: {str(error).splitlines()[0]}")


def _of_structs(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose nested columns, if it has any, are DynamoDB JSON: types in upper case, empty members away.

    A struct has a member for every attribute and type that any row has; null is what the row does not have.
    """
    change = row.get("dynamodb")
    inner = {"dynamodb": _of_structs(change)} if isinstance(change, dict) else {}
    images = {
        name: _typed_members(value)
        for name, value in row.items()
        if name.lower() in _IMAGES and isinstance(value, dict)
    }
    return row | images | inner


def _typed_members(members: dict[str, Any]) -> dict[str, Any]:
    return {name: _typed_value(value) for name, value in members.items() if value is not None}


def _typed_value(value: Any) -> Any:
    """Return a struct such as ``{"s": "a", "m": None}`` as DynamoDB's value, ``{"S": "a"}``."""
    if not isinstance(value, dict):
        return value
    typed: dict[str, Any] = {}
    for kind, inner in value.items():
        if kind.lower() == "m" and isinstance(inner, dict):
            inner = _typed_members(inner)
        elif kind.lower() == "l" and isinstance(inner, list):
            inner = [_typed_value(element) for element in inner]
        elif kind.lower() in ("b", "bs"):
            inner = _text_of(inner)
        if inner is not None:
            typed[kind.upper()] = inner
    return typed


def _text_of(value: Any) -> Any:
    """Return binary as its base64 text, which is how a record holds it."""
    if isinstance(value, bytes):
        return value.decode("ascii", errors="replace")
    return [_text_of(each) for each in value] if isinstance(value, list) else value


def _change(value: Any, keys: Sequence[str], folder: str) -> dict[str, Any]:
    if isinstance(value, dict) and layout_of_record(value) == "flat":
        return flat_change(value, keys, folder)
    return canonical_change(value)
