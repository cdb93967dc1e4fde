"""Compacted days: all deliveries of a day's objects in a few columnar files, sorted, kept so that questions read these.

A day is one of arrival, by the objects' names or folders, in the log's own time zone: an object belongs to exactly
one. A compacted day is a prefix in S3, ``TABLE/day=2026-11-01/made=ID/``, of Parquet files with what is in the objects,
and ``_compacted.parquet``, which lists these. That one is written last: a prefix without it is no compacted day. One
that is there never changes: where objects of the day come late, it is made again, and the one before goes a run later.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count as counting
from pathlib import Path
from typing import Any

from workbench.log.contents import Part
from workbench.log.files import Files
from workbench.log.manifests import DamagedManifest, Log, read_manifest, write_manifest
from workbench.log.objects import Object, Stamp, Unreadable
from workbench.model.attribute_schema import Held
from workbench.text import file_name

_MANIFEST = "_compacted.parquet"
_ARCHIVABLE = "_archivable"
_TIME = "%Y%m%dT%H%M%S%f"
_PLACE = re.compile(r"day=(?P<day>\d{4}-\d\d-\d\d)/made=(?P<made>\d{8}T\d{12}Z)/(?P<file>[^/]+)")
_UNFINISHED = timedelta(days=1)  # after which a day without its list of objects was left by a run that failed
_AT_ONCE = 16  # lists of objects that are fetched side by side


@dataclass(frozen=True)
class CompactedDay:
    """The objects of a log that arrived on a day, compacted."""

    table: str
    day: date
    """Of arrival, in the zone of the log's folders."""
    made: str
    """When it was made, UTC; no other day of the table has the same."""
    log: Log = field(repr=False)
    place: str
    """Its ``s3://`` prefix."""
    bytes: int
    """Size of its files."""
    objects: frozenset[Stamp] = field(repr=False)
    """The objects it stands on, by path, size and time of modification."""
    read_as: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
    """How their rows, and their arrivals, were read: where the log is read otherwise now, it does not hold."""
    unreadable: tuple[Unreadable, ...] = field(default=(), repr=False)
    """Their lines that are no change record."""
    contents: tuple[Part, ...] = field(default=(), repr=False)
    """What they hold: tables, Regions, accounts, keys and times."""
    held: Held | None = field(default=None, repr=False, compare=False)
    """What all their images hold."""
    unknown: int = 0
    """How many changes do not say what they left, as often as they were delivered."""

    def holds(self, item: Object) -> bool:
        """Return whether it was made from an object, as that is now."""
        return item.stamp in self.objects

    @property
    def manifest(self) -> str:
        """Where the list of its objects is."""
        return self.place + _MANIFEST


@dataclass(frozen=True)
class _Folder:
    place: str
    day: date
    made: str
    finished: bool
    archivable: bool

    @property
    def created(self) -> datetime:
        """When it was begun, UTC."""
        return datetime.strptime(self.made, f"{_TIME}Z").replace(tzinfo=UTC)


class CompactedDays:
    """The compacted days of logs under a prefix in S3.

    >>> days = CompactedDays("s3://bucket/compacted/", files)  # doctest: +SKIP
    >>> [each.day for each in days.find("persons", log)]  # doctest: +SKIP
    [datetime.date(2026, 11, 1)]
    """

    def __init__(self, place: str, files: Files) -> None:
        self._root, self._files = place.rstrip("/"), files
        self._read: dict[tuple[str, Log], CompactedDay | None] = {}
        self._numbers = counting()
        self.damaged = set[str]()
        """The places of days whose lists of objects cannot be understood, as far as was looked."""

    def top(self, table: str) -> str:
        """Return the prefix of a table's days."""
        return f"{self._root}/{file_name(table)}/"

    def begin(
        self, table: str, log: Log, day: date, objects: Iterable[Stamp], read_as: Mapping[str, Any]
    ) -> CompactedDay:
        """Return a new day, with its place, into which its rows are to be written before `add`."""
        now = datetime.now(UTC) + timedelta(microseconds=next(self._numbers))  # of days begun at once, too
        made = f"{now:{_TIME}}Z"
        place = f"{self.top(table)}day={day.isoformat()}/made={made}/"
        return CompactedDay(table, day, made, log, place, 0, frozenset(objects), read_as)

    def add(self, day: CompactedDay) -> None:
        """Write down what a day was made from, its rows being in their place: from now on it is found."""
        more = {"read_as": dict(day.read_as), "unknown": day.unknown}
        write_manifest(self._files, day.manifest, day, "compact", more)

    def find(
        self, table: str, log: Log, whole: Callable[[CompactedDay], bool] = lambda day: True
    ) -> list[CompactedDay]:
        """Return, of each day, the newest that is `whole`, by day; none of which has an object of another."""
        folders = [each for each in self._folders(table) if each.finished]
        read = [self._get(each, log) for each in folders[:1]]  # which opens what the others share
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            read += pool.map(lambda each: self._get(each, log), folders[1:])
        newest = sorted((day for day in read if day and day.table == table), key=lambda day: day.made, reverse=True)
        found: dict[date, CompactedDay] = {}
        held = set[str]()
        for day in newest:
            paths = {path for path, *_ in day.objects}
            if day.day not in found and held.isdisjoint(paths) and whole(day):
                found[day.day] = day
                held |= paths
        return [found[each] for each in sorted(found)]

    def missing(self, days: Sequence[CompactedDay]) -> list[CompactedDay]:
        """Return those of one table's days that are not there any more."""
        there = {each.place for table in {day.table for day in days} for each in self._folders(table) if each.finished}
        return [day for day in days if day.place not in there]

    def remove(self, day: CompactedDay) -> None:
        """Remove all that is there of a day."""
        self._read.pop((day.place, day.log), None)
        self._files.remove(day.place, first=_MANIFEST)

    def outdated(self, table: str, log: Log, used: Iterable[CompactedDay], now: datetime) -> list[CompactedDay]:
        """Return what may go: days that were made again as one that is used, and what failed runs left."""
        newest = {day.day: day.made for day in used}
        old = list[CompactedDay]()
        for each in self._folders(table):
            if not each.finished and each.created < now - _UNFINISHED:
                old.append(CompactedDay(table, each.day, each.made, log, each.place, 0, frozenset()))
            elif each.finished and each.made < newest.get(each.day, ""):
                if (day := self._get(each, log)) and day.table == table:
                    old.append(day)
                elif each.place in self.damaged:
                    old.append(CompactedDay(table, each.day, each.made, log, each.place, 0, frozenset()))
        return old

    def mark_archivable(self, day: CompactedDay) -> None:
        """Note that all objects of a day have their tag."""
        with tempfile.NamedTemporaryFile() as empty:
            self._files.put(Path(empty.name), day.place + _ARCHIVABLE)

    def archivable(self, table: str) -> frozenset[str]:
        """Return the places of the days all of whose objects have their tag."""
        return frozenset(each.place for each in self._folders(table) if each.archivable)

    def _folders(self, table: str) -> list[_Folder]:
        top, folders = self.top(table), dict[str, _Folder]()
        for name in self._files.list(top):
            if match := _PLACE.fullmatch(name):
                place = top + name[: match.start("file")]
                try:
                    new = _Folder(place, date.fromisoformat(match["day"]), match["made"], False, False)
                    assert new.created
                except ValueError:  # digits that are no time
                    continue
                each = folders.setdefault(place, new)
                folders[place] = replace(
                    each,
                    finished=each.finished or match["file"] == _MANIFEST,
                    archivable=each.archivable or match["file"] == _ARCHIVABLE,
                )
        return list(folders.values())

    def _get(self, folder: _Folder, log: Log) -> CompactedDay | None:
        """Read a day; None where it is of another log, is damaged, or was removed since it was found."""
        if (folder.place, log) not in self._read:
            try:
                manifest = read_manifest(self._files, folder.place, _MANIFEST, log, "compact")
            except DamagedManifest:
                self.damaged.add(folder.place)
                return None
            if manifest is None:
                return None
            about = manifest.about
            self._read[folder.place, log] = CompactedDay(
                about["table"],
                folder.day,
                folder.made,
                log,
                folder.place,
                about["bytes"],
                manifest.objects,
                about["read_as"],
                manifest.unreadable,
                manifest.contents,
                manifest.held,
                about["unknown"],
            )
        return self._read[folder.place, log]
