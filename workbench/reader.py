"""Reads an object of a change log line by line, in any layout.

The engines read clean objects with their own fast readers. This reader is for the others: it keeps every good change,
and says of every other line why it is none.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from workbench.attributes import column_path
from workbench.containers import UNREAD, Foreign, Text, is_change, unwrapped, values_of
from workbench.errors import ParameterError
from workbench.objects import Object, Unreadable, read_lines
from workbench.records import (
    COLUMNS,
    ORIGIN,
    RecordRefused,
    canonical_change,
    canonical_json,
    canonical_time,
    parse_objects,
)

Layout = Literal["envelope", "raw", "flat", "wrapped", "unknown"]
_PARTITION = re.compile(r"\w+=.*|\d+")
METADATA = {
    "eventid": "event_id", "eventname": "event_name", "tablename": "table_name", "ts": "ts", "keys": "keys",
    "approximatecreationdatetime": "ts", "sizebytes": "size_bytes", "byttl": "by_ttl",
    "approximatecreationdatetimeprecision": "precision", "attributevalues": "attribute_values",
}  # fmt: skip


def layout_of(item: Object) -> tuple[Layout, bool, tuple[str, ...]]:
    """Tell an object's layout, whether records share a line, and the key names, from its first record."""
    try:
        return _layout_of(item)
    except OSError:  # the line reader says what is the matter
        return "unknown", False, ()


def _layout_of(item: Object) -> tuple[Layout, bool, tuple[str, ...]]:
    if item.format == "parquet":
        try:
            return (
                ("envelope" if set(pq.read_schema(item.path).names) >= set(COLUMNS) - set(ORIGIN) else "unknown"),
                False,
                (),
            )
        except (pa.ArrowException, OSError):
            return "unknown", False, ()
    if item.format == "orc":
        _, row = next(_read_orc(item), (0, {}))
        return ("unknown" if not is_change(row) else "envelope" if "event_id" in row else "raw"), False, ()
    (number, first), *others = [*islice(values_of(read_lines(item)), 2)] or [(0, None)]
    joined = any(line == number for line, _ in others)
    inner, wrapper = next(unwrapped(first), (None, ""))
    if is_change(inner) and (wrapper or not _is_on_a_line(item)):
        return "wrapped", False, ()
    if wrapper or not isinstance(first, dict):
        return "unknown", False, ()
    if isinstance(first.get("dynamodb"), dict):
        keys = first["dynamodb"].get("Keys")
        return "raw", joined, tuple(keys) if isinstance(keys, dict) else ()
    try:
        names = tuple(json.loads(first["keys"]))
    except (KeyError, TypeError, ValueError):
        names = ()
    known = {plain_name(name) for name in first}
    envelope = bool(names) and ("new_image" in first or "old_image" in first)
    return "envelope" if envelope else "flat" if "eventname" in known else "unknown", joined, names


def _is_on_a_line(item: Object) -> bool:
    line = next((line for line in read_lines(item) if isinstance(line, bytes) and line.strip()), b"")
    return not isinstance(next(parse_objects(line.decode(errors="replace")), None), RecordRefused)


def read_changes(item: Object, keys: Sequence[str] = (),
                 wrapped: Counter[str] | None = None) -> Iterator[dict[str, Any] | Unreadable]:  # fmt: skip
    """Yield every change of an object, in any layout, and an `Unreadable` for all that is none.

    An object without any change is named once, by what it is. `wrapped` counts the changes that were wrapped, by what
    they were wrapped in.
    """
    refused: list[tuple[int, RecordRefused]] | None = []  # until there is a change
    for number, found in _read(item, keys, Counter() if wrapped is None else wrapped):
        if not isinstance(found, RecordRefused):
            yield from (Unreadable(item.path, line, str(error)) for line, error in refused or ())
            refused = None
            yield found
        elif refused is None:
            yield Unreadable(item.path, number, str(found))
        else:
            refused.append((number, found))
    yield from _what_it_is(item, refused or ())


def _what_it_is(item: Object, refused: Sequence[tuple[int, RecordRefused]]) -> Iterator[Unreadable]:
    """Name an object without changes by what is in it, and what is wrong with lines that could be changes."""
    known: Counter[str] = Counter()
    for number, error in refused:
        if isinstance(error, Foreign):
            known[str(error)] += 1
        elif isinstance(error, Text) and len(refused) > 1:
            known["text that is no JSON"] += 1
        else:
            yield Unreadable(item.path, 0 if item.format in UNREAD else number, str(error))
    for what, count in known.items():
        yield Unreadable(item.path, 0, f"{what} ({count:,} lines or records)" if count > 1 else what)


def _read(item: Object, keys: Sequence[str],
          wrapped: Counter[str]) -> Iterator[tuple[int, dict[str, Any] | RecordRefused]]:  # fmt: skip
    if item.format == "parquet":
        yield from _read_parquet(item)
        return
    folder = next((part for part in reversed(Path(item.path).parts[:-1]) if not _PARTITION.fullmatch(part)), "")
    for number, outer in _read_orc(item) if item.format == "orc" else values_of(read_lines(item)):
        for value, wrapper in unwrapped(outer):
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


def _read_parquet(item: Object) -> Iterator[tuple[int, dict[str, Any] | RecordRefused]]:
    try:
        has = set(pq.read_schema(item.path).names)
        columns = [name for name in COLUMNS if name in has or name not in ORIGIN]
        table = pq.read_table(item.path, columns=columns, partitioning=None)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        yield 0, RecordRefused(f"Parquet object cannot be read: {str(error).splitlines()[0]}")
        return
    for number, row in enumerate(table.to_pylist(), start=1):
        try:
            yield number, canonical_change(row)
        except RecordRefused as error:
            yield number, error


def _change(value: Any, keys: Sequence[str], folder: str) -> dict[str, Any]:
    single_level = isinstance(value, dict) and not {"dynamodb", "new_image", "old_image"} & set(value)
    if single_level and "event_name" in {METADATA.get(plain_name(name)) for name in value}:
        return _flat_change(value, keys, folder)
    return canonical_change(value)


def _flat_change(row: dict[str, Any], keys: Sequence[str], folder: str) -> dict[str, Any]:
    """Read a single-level row: event metadata, and one plain column an attribute (null: absent)."""
    known = {METADATA[plain_name(name)]: value for name, value in row.items()
             if plain_name(name) in METADATA and value is not None}  # fmt: skip
    image: dict[str, Any] = {}
    for name, value in row.items():
        if plain_name(name) not in METADATA and value is not None:
            _place(image, flat_path(name), _plain_value(value))
    for name, value in _untold(known.pop("attribute_values", "{}")).items():
        _place(image, flat_path(name), value)
    missing = [name for name in keys if name not in image]
    if known.get("keys") is None and (missing or not keys):
        why = f"no key attribute {missing[0]!r}" if keys else "no 'keys': name the key attributes, keys=(…)"
        raise RecordRefused(f"a flat record, {why}")
    text, moment = canonical_json(image), known.get("ts")
    if not isinstance(moment, str) or moment.isdecimal():
        moment = canonical_time(moment, known.pop("precision", None))
    known.setdefault("keys", canonical_json({name: image[name] for name in keys} if keys else {}))
    # Some flatteners leave out the event's id: then equal content is the same change.
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    known.setdefault("event_id", f"{digest}-{known['keys']}-{moment}")
    known.setdefault("table_name", folder)
    return canonical_change(known | {"ts": moment, "new_image": None if known["event_name"] == "REMOVE" else text})


def flat_path(name: str) -> tuple[str, ...]:
    """Return the path of the attribute that a column of a flat log holds."""
    try:
        return column_path(name)
    except ParameterError:  # dots or quotes that are no path: one attribute, called that
        return (name,)


def _untold(text: Any) -> dict[str, Any]:
    """Read the DynamoDB JSON of the columns whose plain value does not tell it, such as sets."""
    try:
        values = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordRefused(f"attribute_values is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise RecordRefused("attribute_values is no object")
    return values


def _place(image: dict[str, Any], path: tuple[str, ...], value: dict[str, Any]) -> None:
    *parents, last = path
    for parent in parents:
        inner = image.setdefault(parent, {"M": {}})
        if "M" not in inner:
            raise RecordRefused(f"column {'.'.join(path)!r} lies under one that is no map")
        image = inner["M"]
    image[last] = value


def _plain_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float | Decimal):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, list):
        return {"L": [_plain_value(element) for element in value]}
    if value is None:
        return {"NULL": True}
    return {"M": {name: _plain_value(child) for name, child in value.items()}}


def plain_name(name: str) -> str:
    """Return a name without what spellings of metadata differ in."""
    return name.replace("_", "").replace("-", "").lower()
