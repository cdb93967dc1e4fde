"""The objects of a change log: which there are, when they arrived, and reading one line by line.

The engines read clean objects with their own fast readers. This reader is for the others: it takes any
layout, keeps every good change, and says of every other line why it is none.
"""

from __future__ import annotations

import glob
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from workbench.attributes import column_path
from workbench.errors import ParameterError
from workbench.records import (
    COLUMNS,
    RecordRefused,
    canonical_change,
    canonical_json,
    canonical_time,
    parse_objects,
)

Format = Literal["json", "gzip", "parquet"]
Layout = Literal["envelope", "raw", "flat", "unknown"]
SCHEMA = pa.schema({name: pa.string() for name in COLUMNS} | {
    "ts": pa.timestamp("us"), "size_bytes": pa.int64(), "by_ttl": pa.bool_()})  # fmt: skip

# Athena reads a timestamp of Parquet with milliseconds only: the time travels as text.
PARQUET = pa.schema([field.with_type(pa.string()) if field.name == "ts" else field for field in SCHEMA])

_ARRIVAL = re.compile(r"(?:^|[/=])(\d{4})[/-](?:month=)?(\d\d)[/-](?:day=)?(\d\d)(?:[/-](?:hour=)?(\d\d))?/")
# Firehose ends an object's name in when its oldest record arrived and a random text:
# https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
_NAMED = re.compile(r"-(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-[^/]*\Z")
_PARTITION = re.compile(r"\w+=.*|\d+")
_CHUNK = 1 << 20
METADATA = {
    "eventid": "event_id", "eventname": "event_name", "tablename": "table_name", "ts": "ts", "keys": "keys",
    "approximatecreationdatetime": "ts", "sizebytes": "size_bytes", "byttl": "by_ttl",
    "approximatecreationdatetimeprecision": "precision", "attributevalues": "attribute_values",
}  # fmt: skip


@dataclass(frozen=True)
class Object:
    """One stored object: a file of change records."""

    path: str
    size: int
    modified: int
    format: Format
    arrival: datetime | None
    """When its oldest record arrived, in UTC: by its name, else the hour of its partition; None where neither tells."""


@dataclass(frozen=True)
class Unreadable:
    """A line, or a whole object (line 0), that is no change record."""

    object: str
    line: int
    reason: str


def list_objects(source: str | Path) -> list[Object]:
    """List the objects under a folder, or those a glob or a file path names, in path order.

    As Athena does, names that begin with a dot or an underscore are passed over.
    """
    root = Path(source).expanduser()
    named, start = [root], len(root.parts)
    if root.is_dir():
        named = list(root.rglob("*"))
    elif not root.is_file():
        named, start = [Path(name) for name in glob.glob(str(root), recursive=True)], start - 1
    files = (path for path in named if path.is_file())
    visible = sorted(path for path in files if not any(part[0] in "._" for part in path.parts[start:]))
    objects = [_object(path) for path in visible]
    if not objects and not root.exists() and not glob.has_magic(str(root)):
        raise ParameterError(f"{source} does not exist: give a folder, file or glob of change logs")
    return [item for item in objects if item.size]


def layout_of(item: Object) -> tuple[Layout, bool, tuple[str, ...]]:
    """Tell an object's layout, whether records share a line, and the key names, from its first record."""
    if item.format == "parquet":
        try:
            return (
                ("envelope" if set(pq.read_schema(item.path).names) >= set(COLUMNS) else "unknown"),
                False,
                (),
            )
        except (pa.ArrowException, OSError):
            return "unknown", False, ()
    line = next((line for line in _lines(item) if isinstance(line, bytes) and line.strip()), b"")
    first, *others = [*parse_objects(line.decode(errors="replace"))][:2] or [None]
    if not isinstance(first, dict):
        return "unknown", False, ()
    if isinstance(first.get("dynamodb"), dict):
        keys = first["dynamodb"].get("Keys")
        return "raw", bool(others), tuple(keys) if isinstance(keys, dict) else ()
    try:
        names = tuple(json.loads(first["keys"]))
    except (KeyError, TypeError, ValueError):
        names = ()
    known = {plain_name(name) for name in first}
    envelope = bool(names) and ("new_image" in first or "old_image" in first)
    return "envelope" if envelope else "flat" if "eventname" in known else "unknown", bool(others), names


def read_changes(item: Object, keys: Sequence[str] = ()) -> Iterator[dict[str, Any] | Unreadable]:
    """Yield every change of an object, in any layout, and an `Unreadable` for all that is none."""
    if item.format == "parquet":
        yield from _read_parquet(item)
        return
    folder = next((part for part in reversed(Path(item.path).parts[:-1]) if not _PARTITION.fullmatch(part)), "")
    for number, line in enumerate(_lines(item), start=1):
        if isinstance(line, RecordRefused):
            yield Unreadable(item.path, number, str(line))
            continue
        try:
            values = list(parse_objects(line.decode("utf-8-sig" if number == 1 else "utf-8")))
        except UnicodeDecodeError as error:
            values = [RecordRefused(f"not UTF-8: {error.reason} at byte {error.start}")]
        for value in values:
            try:
                if isinstance(value, RecordRefused):
                    raise value
                yield _change(value, keys, folder)
            except RecordRefused as error:
                yield Unreadable(item.path, number, str(error))


def _object(path: Path) -> Object:
    stat = path.stat()
    with path.open("rb") as file:
        magic = file.read(4)
    found: Format = "gzip" if magic[:2] == b"\x1f\x8b" else "parquet" if magic == b"PAR1" else "json"
    return Object(str(path), stat.st_size, stat.st_mtime_ns, found, arrival_of(path.as_posix()))


def arrival_of(path: str) -> datetime | None:
    """Tell when the oldest record of an object arrived, in UTC: by its name, else by its folders."""
    if told := _NAMED.findall(path.rpartition("/")[2]) or _ARRIVAL.findall(path)[-1:]:
        with suppress(ValueError):  # digits that are no date
            return datetime(*(int(part or 0) for part in told[0]), tzinfo=UTC)  # type: ignore[misc, arg-type]
    return None


def _lines(item: Object) -> Iterator[bytes | RecordRefused]:
    """Yield the lines; where a gzip object is damaged, what could be read and then why it ends there."""
    rest, damage = b"", None
    for chunk in _chunks(item):
        if isinstance(chunk, RecordRefused):
            damage = chunk
            break
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest
    if damage:
        yield damage


def _chunks(item: Object) -> Iterator[bytes | RecordRefused]:
    with open(item.path, "rb") as file:
        if item.format == "json":
            yield from iter(lambda: file.read(_CHUNK), b"")
            return
        inflate, read = zlib.decompressobj(wbits=31), 0
        while compressed := (inflate.unconsumed_tail or inflate.unused_data or file.read(_CHUNK)):
            if inflate.eof:  # gzip members may follow each other
                inflate = zlib.decompressobj(wbits=31)
            try:
                chunk = inflate.decompress(compressed, _CHUNK)
            except zlib.error as error:
                yield RecordRefused(f"gzip object is damaged after {read:,} bytes of content: {error}")
                return
            read += len(chunk)
            yield chunk
        if not inflate.eof:
            rest = inflate.flush()
            yield rest
            if not inflate.eof:
                yield RecordRefused(f"gzip object is truncated after {read + len(rest):,} bytes of content")


def _read_parquet(item: Object) -> Iterator[dict[str, Any] | Unreadable]:
    try:
        table = pq.read_table(item.path, columns=list(COLUMNS))
    except (pa.ArrowException, OSError) as error:
        yield Unreadable(item.path, 0, f"Parquet object cannot be read: {str(error).splitlines()[0]}")
        return
    for number, row in enumerate(table.to_pylist(), start=1):
        try:
            yield canonical_change(row)
        except RecordRefused as error:
            yield Unreadable(item.path, number, str(error))


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
