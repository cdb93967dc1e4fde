"""Segments of a log's store: a Parquet file each, and what the manifest's line about it tells."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from datetime import datetime
from typing import Any

import orjson

from workbench.errors import ParameterError
from workbench.log.contents import Part
from workbench.log.objects import Unreadable

_NAME = re.compile(r"[0-9a-f]{32}\.parquet")


@dataclass(frozen=True)
class Segment:
    """A file with all changes of some objects."""

    name: str
    """Of its file."""
    objects: frozenset[tuple[str, int, int]] = field(repr=False)
    """By path, as `Object` has it, size and time of modification."""
    rows: int
    bytes: int = 0
    """Size of the file; `LogStore.add` looks."""
    checksum: int = 0
    """CRC-32 of the file; `LogStore.add` reckons it."""
    modified: int = 0
    """When the file was written, nanoseconds since 1970; `LogStore.add` looks."""
    first: datetime | None = None
    last: datetime | None = None
    """When its changes were made, UTC, without a zone; None where there are none."""
    unreadable: tuple[Unreadable, ...] = ()
    wrapped: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By object's path: what changes were wrapped in, and how many."""
    contents: tuple[Part, ...] = ()
    lines: bool = False
    """Whether it was read line by line, by the slow reader."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the engine has found out about its columns, as JSON."""


def object_number(path: str, size: int, modified: int) -> int:
    """Return the number of an object in the column `object` of a segment: of 63 bits, the same wherever the log lies.

    Parameters
    ----------
    path
        Relative to the log's root.
    modified
        Nanoseconds since 1970.

    >>> object_number("year=2026/a.json.gz", 1_024, 1_760_000_000_000_000_000)
    2796662392083071339
    """
    digest = hashlib.sha256(f"{path}\0{size}\0{modified}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def encoded(segment: Segment, beginning: str) -> bytes:
    """Return a segment's line in a manifest, as JSON; paths are told without the beginning that all of a log have.

    Raises
    ------
    ParameterError
        Where an object's path begins in another way.
    """

    def relative(path: str) -> str:
        return without(beginning, path)

    paths, sizes, times = zip(*sorted(segment.objects), strict=True) if segment.objects else ((), (), ())
    return dumped(
        {
            "name": segment.name,
            "rows": segment.rows,
            "bytes": segment.bytes,
            "checksum": segment.checksum,
            "modified": segment.modified,
            "first": segment.first and segment.first.isoformat(),
            "last": segment.last and segment.last.isoformat(),
            "lines": segment.lines,
            "paths": [relative(path) for path in paths],
            "sizes": sizes,
            "times": times,
            "unreadable": [(relative(each.object), each.line, each.reason) for each in segment.unreadable],
            "wrapped": {relative(path): dict(counts) for path, counts in segment.wrapped.items()},
            "contents": [
                (*astuple(part)[:-2], part.first.isoformat(), part.last.isoformat()) for part in segment.contents
            ],
            "facts": dict(segment.facts),
        }
    )


def decoded(line: bytes, beginning: str) -> Segment:
    """Return the segment that a line of a manifest tells of.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        Where the line tells of none.
    """
    told = loaded(line)
    if not _NAME.fullmatch(told["name"]):
        raise ValueError("no name of a segment")
    paths = [beginning + path for path in told["paths"]]
    return Segment(
        told["name"],
        frozenset(zip(paths, told["sizes"], told["times"], strict=True)),
        told["rows"],
        told["bytes"],
        told["checksum"],
        told["modified"],
        told["first"] and datetime.fromisoformat(told["first"]),
        told["last"] and datetime.fromisoformat(told["last"]),
        tuple(Unreadable(beginning + path, line, reason) for path, line, reason in told["unreadable"]),
        {beginning + path: counts for path, counts in told["wrapped"].items()},
        tuple(Part(*rest, *map(datetime.fromisoformat, (first, last))) for *rest, first, last in told["contents"]),
        told["lines"],
        told["facts"],
    )


def without(beginning: str, path: str) -> str:
    """Return the path of an object relative to its log.

    >>> without("data/persons/", "data/persons/year=2026/a.json.gz")
    'year=2026/a.json.gz'
    """
    if not path.startswith(beginning):
        raise ParameterError(f"{path} is no object of the log {beginning}")
    return path[len(beginning) :]


def dumped(value: object) -> bytes:
    r"""Return a value as JSON; also one with a name of a file that is no UTF-8.

    >>> dumped(["a"]), dumped(["\udcff"])
    (b'["a"]', b'["\\udcff"]')
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def loaded(text: bytes) -> Any:
    """Return what `dumped` was given; or raise ValueError."""
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)
