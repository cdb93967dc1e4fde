"""The objects of a change log: which there are, when they arrived, and their lines."""

from __future__ import annotations

import glob
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa

from workbench.errors import ParameterError
from workbench.records import COLUMNS, RecordRefused

Format = Literal["json", "gzip", "parquet"]
SCHEMA = pa.schema({name: pa.string() for name in COLUMNS} | {
    "ts": pa.timestamp("us"), "size_bytes": pa.int64(), "by_ttl": pa.bool_()})  # fmt: skip

# Athena reads a timestamp of Parquet with milliseconds only: the time travels as text.
PARQUET = pa.schema([field.with_type(pa.string()) if field.name == "ts" else field for field in SCHEMA])

_ARRIVAL = re.compile(r"(?:^|[/=])(\d{4})[/-](?:month=)?(\d\d)[/-](?:day=)?(\d\d)(?:[/-](?:hour=)?(\d\d))?/")
# Firehose ends an object's name in when its oldest record arrived and a random text:
# https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
_NAMED = re.compile(r"-(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-[^/]*\Z")
_CHUNK = 1 << 20


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
    objects = [stored_object(path) for path in visible]
    if not objects and not root.exists() and not glob.has_magic(str(root)):
        raise ParameterError(f"{source} does not exist: give a folder, file or glob of change logs")
    return [item for item in objects if item.size]


def stored_object(path: Path) -> Object:
    """Describe a file: its size, its time, its format by its first bytes, and when it arrived."""
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


def read_lines(item: Object) -> Iterator[bytes | RecordRefused]:
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
