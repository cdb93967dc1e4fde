"""An object of a change log: its format, its lines, when it arrived, and the columns of the changes in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from workbench.errors import RecordRefused
from workbench.log.compression import Format, format_of, lines_of
from workbench.model.records import COLUMN_TYPES

_ARROW_TYPES: Mapping[str, pa.DataType] = {
    "varchar": pa.string(),
    "timestamp": pa.timestamp("us"),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
}
SCHEMA = pa.schema({name: _ARROW_TYPES[kind] for name, kind in COLUMN_TYPES.items()})
"""The columns of a change, times in UTC without a zone."""
PARQUET = pa.schema([field.with_type(pa.string()) if field.name == "ts" else field for field in SCHEMA])
"""The same in stored Parquet files: Athena reads a timestamp of them with milliseconds only, so `ts` is a text."""

_ARRIVAL = re.compile(r"(?:^|[/=])(\d{4})[/-](?:month=)?(\d\d)[/-](?:day=)?(\d\d)(?:[/-](?:hour=)?(\d\d))?/")
# Firehose ends an object's name in when its oldest record arrived and a random text:
# https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
_NAMED = re.compile(r"-(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-[^/]*\Z")


Stamp = tuple[str, int, int]
"""An object's path, size and time of modification."""


@dataclass(frozen=True)
class Object:
    """One stored object: a file of change records."""

    path: str
    size: int
    modified: int
    format: Format
    arrival: datetime | None
    """When its oldest record arrived, in UTC: by its name, else the hour of its partition; None where neither tells."""
    archived: bool = field(default=False, compare=False)
    """Whether it is in a storage class of S3's that has to be restored before it can be read."""

    @property
    def stamp(self) -> Stamp:
        """What tells it from other objects, and from itself before it changed."""
        return self.path, self.size, self.modified


def stamps(objects: Iterable[Object]) -> frozenset[Stamp]:
    """Return what tells objects from each other, and from themselves before they changed."""
    return frozenset(item.stamp for item in objects)


@dataclass(frozen=True)
class Unreadable:
    """A line, or a whole object or folder (line 0), that is no change record."""

    object: str
    line: int
    reason: str

    def __str__(self) -> str:
        """Write it in a line."""
        return f"{self.object}{f':{self.line}' if self.line else ''}: {self.reason}"


def stored_object(path: Path, known: Object | None = None) -> Object:
    """Return what a file is: its size, its time, its format by its first bytes, and when it arrived.

    Parameters
    ----------
    known
        What it was before: where it is that still, it is not opened.
    """
    stat = path.stat()
    if known and (known.size, known.modified) == (stat.st_size, stat.st_mtime_ns):
        return known
    with path.open("rb") as file:
        kind = format_of(file.read(16))
    return Object(str(path), stat.st_size, stat.st_mtime_ns, kind, arrival_of(path.as_posix()))


def arrival_of(path: str) -> datetime | None:
    """Return when the oldest record of an object arrived, in UTC: by its name, else by its folders; None: not told.

    >>> arrival_of("data/persons/year=2026/month=11/day=18/hour=09/a.json.gz")
    datetime.datetime(2026, 11, 18, 9, 0, tzinfo=datetime.timezone.utc)
    """
    arrival = time_in_path(path)
    return arrival[0] if arrival else None


def time_in_path(path: str) -> tuple[datetime, timedelta] | None:
    """Return when the oldest record of an object arrived, as `arrival_of` does, and how exactly the path tells it.

    >>> time_in_path("data/2026/11/18/09/persons-1-2026-11-18-09-05-12-4f1c.json.gz")
    (datetime.datetime(2026, 11, 18, 9, 5, 12, tzinfo=datetime.timezone.utc), datetime.timedelta(seconds=1))
    """
    named = _NAMED.findall(path.rpartition("/")[2])
    if times := named or _ARRIVAL.findall(path)[-1:]:
        exactly = timedelta(seconds=1) if named else timedelta(hours=1) if times[0][3] else timedelta(days=1)
        with suppress(ValueError):  # digits that are no date
            return datetime(*(int(part or 0) for part in times[0]), tzinfo=UTC), exactly  # type: ignore[misc, arg-type]
    return None


def read_lines(item: Object) -> Iterator[bytes | RecordRefused]:
    """Yield the lines of an object; where it is damaged, what could be read and then why it ends there."""
    return lines_of(item.path, item.format)


def first_line(item: Object) -> str:
    """Return an object's first line that is not blank, what is no UTF-8 in it replaced; '' where there is none."""
    lines = (line for line in read_lines(item) if isinstance(line, bytes) and line.strip())
    return next(lines, b"").decode(errors="replace")


def grouped(unreadable: Iterable[Unreadable]) -> list[str]:
    """Return a line for each object and reason: the first line that is unreadable for it, and how many more are.

    >>> grouped([Unreadable("a.json", line, "not JSON") for line in (3, 5, 9)])
    ['a.json:3: not JSON (and 2 more such lines)']
    """
    first: dict[tuple[str, str], Unreadable] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for each in unreadable:
        kind = each.object, re.sub(r"\d+", "0", each.reason)
        first.setdefault(kind, each)
        counts[kind] += 1
    more = {kind: f" (and {count - 1:,} more such lines)" if count > 1 else "" for kind, count in counts.items()}
    return [f"{each}{more[kind]}" for kind, each in first.items()]
