"""Compacts days of a log on Athena: which are due, how they are written, which of them can be read, and what may go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from workbench.aws.athena import Athena, RunningQuery
from workbench.aws.catalog import Catalog
from workbench.aws.errors import explained
from workbench.aws.files import S3Files
from workbench.aws.log_tables import Listing, LogTable
from workbench.config import Settings
from workbench.engines.census import census, contents_of, unreadable_of
from workbench.engines.reading import Reading
from workbench.engines.schemas import shapes_to_schema, unknown_in
from workbench.errors import ParameterError, QueryError, ScanRefused, WorkbenchError
from workbench.log.compaction import CompactedDay, CompactedDays
from workbench.log.contents import Part, merged
from workbench.log.manifests import Log
from workbench.log.objects import Object, Stamp, Unreadable, stamps
from workbench.model.attribute_schema import Held
from workbench.model.times import duration
from workbench.paths import split_s3_object
from workbench.sql.layouts import DELIVERY, DaysRead, all_readable, both
from workbench.sql.templates import part
from workbench.text import count, size

COMPACTED = {
    "day": "object",
    "status": "str",
    "objects": "int64",
    "bytes": "int64",
    "compacted_bytes": "int64",
    "changes": "int64",
    "unreadable": "int64",
    "made": "datetime64[us, UTC]",
}
"""The columns of what was compacted, a row a day, and their types."""
_TAG = {"Key": "workbench-archive", "Value": "compacted"}
_DAYS_AT_ONCE = 4  # in two queries each: an account runs 20 at once in the smallest Regions, other people's among them
_TAGGED_AT_ONCE = 16
_SPELLED_BY = 8  # objects of a day that are looked into for the names a crawler has in lower case


@dataclass(frozen=True)
class _Due:
    """A day that is to be made."""

    day: CompactedDay
    raw: tuple[Object, ...]
    """What is read in the log."""
    bytes: int
    """Size of all objects of the day that are there."""
    before: CompactedDay | None
    """The day as it was made before, which is read too; None where there is none, or nothing of it is needed."""
    kept: frozenset[Stamp]
    """What is read of it."""
    again: bool

    @property
    def scanned(self) -> int:
        """What its queries scan at most: it is written, lines are counted, and what was written is looked at twice.

        What is written is taken to be as large as what it is made of.
        """
        raw, before = sum(item.size for item in self.raw), self.before.bytes if self.before else 0
        return 2 * raw + before + 2 * (raw + before)


class Compactor:
    """The compacted days of the logs of a database.

    >>> compactor = Compactor(catalog, queries, "s3://bucket/compacted/", settings)  # doctest: +SKIP
    >>> compactor.compact(catalog.table("persons"), again=False)["day"].tolist()  # doctest: +SKIP
    [datetime.date(2026, 11, 1)]
    """

    def __init__(self, catalog: Catalog, queries: Athena, place: str, settings: Settings) -> None:
        self._catalog, self._queries, self._settings = catalog, queries, settings
        self._days = CompactedDays(place, S3Files(catalog.session))
        self._whole: set[str] = set()
        self.left: list[str] = []
        """What cannot be used, and why."""

    def find(self, log: LogTable) -> tuple[CompactedDay, ...]:
        """Return the days that can be read in the place of the objects they stand on."""
        self.left = []
        sizes: dict[str, int] | None = None
        registered: dict[str, str] = {}

        def is_whole(day: CompactedDay) -> bool:
            nonlocal sizes
            if not self._reads_alike(log, day):
                self.left.append(f"{day.place} is not used, for the log is read otherwise now: compact the day again")
                return False
            if day.place in self._whole:
                return True
            if sizes is None:
                sizes = defaultdict(int)
                for item in self._catalog.below(self._days.top(log.name)):
                    sizes[item.path.rpartition("/")[0] + "/"] += item.size
                registered.update(
                    {values[1]: place for values, place in self._catalog.compacted.registered(log).items()}
                )
            if registered.get(day.made) != day.place:
                self.left.append(f"{day.place} is not used, for it is no partition of {log.name}_compacted any more")
            elif sizes.get(day.place, 0) != day.bytes:
                self.left.append(f"{day.place} is not used, for some of its objects are gone")
            else:
                self._whole.add(day.place)
            return day.place in self._whole

        self._days.damaged.clear()
        found = self._days.find(log.name, _origin(log), is_whole)
        self.left += [
            f"{place} is not used, for its list of objects is damaged: compact the day again"
            for place in sorted(self._days.damaged)
        ]
        return tuple(found)

    def missing(self, days: Sequence[CompactedDay]) -> bool:
        """Return whether one of some days is not there any more: Athena says nothing of rows that are gone."""
        missing = self._days.missing(days) if days else []
        self._whole -= {day.place for day in missing}
        return bool(missing)

    def compact(self, log: LogTable, *, again: bool) -> pd.DataFrame:
        """Compact all closed days that are not, or have other objects than they stand on; with `again`, all.

        Raises
        ------
        ConfigError
            Where the place is within the log.
        ScanRefused
            Where a day would scan more than `max_scan_bytes`, once all others are compacted.
        """
        log.refuse_within(self._days.top(log.name), "compacted")
        listing = self._catalog.listing(log)
        log = replace(listing.log, only=None)
        listing = replace(listing, log=log)
        if log.sample and log.sample.lost:
            raise ParameterError(
                f"{log.name} is not compacted, for {log.sample.notes[0]}: what is compacted is read by them"
            )
        days = self.find(log)
        self._remove(log, self._days.outdated(log.name, _origin(log), days, _now()))
        notes, rows = list[str](), list[tuple[Any, ...]]()
        due = list(self._due(listing, days, again, notes))
        limit = self._settings.max_scan_bytes
        fitting = [each for each in due if limit is None or each.scanned <= limit]
        for number in range(0, len(fitting), _DAYS_AT_ONCE):
            rows += self._make(listing, fitting[number : number + _DAYS_AT_ONCE], notes)
        for each in due:
            if limit is not None and each.scanned > limit:
                raise ScanRefused(
                    f"compacting {each.day.day} of {log.name} would scan {size(each.scanned)}, more than "
                    f"max_scan_bytes={limit:,} ({size(limit)}) allow: raise max_scan_bytes"
                )
        made = pd.DataFrame(rows, columns=[*COMPACTED]).astype(COMPACTED)
        made.attrs["notes"] = [*self.left, *notes]
        return made

    def archive(self, log: LogTable) -> int:
        """Tag the objects of compacted days, and return how many there are that had no such tag.

        What has the tag a rule of the bucket's may move to a colder class; nothing here removes anything.
        """
        days, listing = self.find(log), self._catalog.listing(log)
        done, tagged = self._days.archivable(log.name), 0
        s3 = self._catalog.session.client("s3")

        def tag(item: Object) -> bool:
            bucket, key = split_s3_object(item.path)
            tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
            if _TAG in tags:
                return False
            others = [each for each in tags if each["Key"] != _TAG["Key"]]
            s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [*others, _TAG]})  # type: ignore[list-item]
            return True

        for day in days:
            if day.place in done:
                continue
            items = [item for item in listing.objects if day.holds(item)]
            trouble, needed = (
                f"the objects of {day.day} cannot be tagged",
                ("s3:GetObjectTagging", "s3:PutObjectTagging"),
            )
            with explained(trouble, *needed, raises=QueryError), ThreadPoolExecutor(_TAGGED_AT_ONCE) as pool:
                tagged += sum(pool.map(tag, items))
            self._days.mark_archivable(day)
        return tagged

    def _reads_alike(self, log: LogTable, day: CompactedDay) -> bool:
        keys = [*self._settings.keys] if log.layout == "flat" else []
        return day.read_as.get("keys") == keys and log.is_read_as(day.read_as, whole=not day.unreadable)

    def _due(self, listing: Listing, days: Sequence[CompactedDay], again: bool, notes: list[str]) -> Iterator[_Due]:
        """Yield the days that are to be made, the oldest first."""
        log, there = listing.log, {item.path: item for item in listing.objects}
        current = {day.day: day for day in days}
        held = frozenset[Stamp]().union(*(day.objects for day in days))
        by_day, undated = defaultdict[date, list[Object]](list), 0
        for item in listing.objects:
            arrived = log.local_arrival(item)
            undated += arrived is None
            if arrived:
                by_day[arrived.date()].append(item)
        if undated:
            notes.append(f"not compacted: {count(undated, 'object')}, for nothing tells on which day they arrived")
        for number in sorted(by_day):
            if not self._is_closed(log, number):
                continue
            before, of_day = current.get(number), by_day[number]
            stood_on = before.objects if before else frozenset()
            new = [item for item in of_day if item.stamp not in held]
            if not new and not (again and before):
                continue
            raw = [item for item in of_day if item.stamp in stood_on and not item.archived] if again else []
            raw = [*raw, *new]
            if archived := sum(item.archived for item in new):
                notes.append(f"{number} is not compacted: {count(archived, 'object')} of it are in an archive of S3")
                continue
            if not raw:
                continue
            read = stamps(raw)
            # What is gone, or in an archive, is taken from the day as it was made before; what was replaced is not.
            kept = frozenset(
                stamp for stamp in stood_on - read if stamp[0] not in there or there[stamp[0]].stamp == stamp
            )
            self._catalog.look_for_names(log, raw[:: max(1, len(raw) // _SPELLED_BY)])
            keys = {"keys": [*self._settings.keys] if log.layout == "flat" else []}
            day = self._days.begin(log.name, _origin(log), number, read | kept, log.read_as | keys)
            there_bytes = sum(item.size for item in of_day)
            yield _Due(day, tuple(raw), there_bytes, before if kept else None, kept, before is not None)

    def _is_closed(self, log: LogTable, day: date) -> bool:
        """Return whether a day is over, and what arrived late too."""
        midnight = datetime(day.year, day.month, day.day) + timedelta(days=1)
        ends = log.zone.utc(midnight) or (midnight - log.zone.least).replace(tzinfo=UTC)
        return bool(ends + duration(self._settings.late_arrival) <= _now())

    def _make(self, listing: Listing, some: Sequence[_Due], notes: list[str]) -> list[tuple[Any, ...]]:
        """Write some days, look at what was written, and have them found."""
        log, texts, places = listing.log, list[str](), list[str | None]()
        for each in some:
            texts += [part("compact", deliveries=self._rows(listing, each)), census(self._lines(listing, each))]
            places += [each.day.place, None]
        finished = set[str]()
        try:
            running = self._queries.run(texts, to=places)
            counts = [self._result(query) for query in running[1::2]]
            for query in running[::2]:
                self._queries.clean(query)
            written = [each for each in some if not self._has_changed(listing, each, notes)]
            for each in written:
                self._catalog.compacted.register(log, (each.day.day.isoformat(), each.day.made), each.day.place)
            found = self._looked_at(log, [each.day for each in written])
            rows = []
            for each, counted in zip(some, counts, strict=True):
                if each.day.place in found:
                    day = self._described(log, each, counted, *found[each.day.place])
                    self._days.add(day)
                    finished.add(day.place)
                    rows.append(_row(each, day))
            return rows
        finally:
            for each in some:
                if each.day.place not in finished:
                    with suppress(WorkbenchError):
                        self._remove(log, [each.day])

    def _rows(self, listing: Listing, due: _Due) -> str:
        """Write the deliveries of a day, as it is to be kept."""
        log, texts = listing.log, list[str]()
        within, keys = self._within(listing, due), self._settings.keys
        texts.append(log.deliveries(within=within, keys=keys, delivered=True))
        if due.before:
            before, whole = due.before, due.kept == due.before.objects
            paths = () if whole else [path.removeprefix(before.log.root) for path, *_ in due.kept]
            read = DaysRead([(before.day, before.made)], [before.made] if whole else (), (), paths)
            texts.append(log.compacted(read, written=True))
        return both(DELIVERY, texts)

    def _lines(self, listing: Listing, due: _Due) -> str:
        """Write the lines of the objects that are read for a day."""
        within, keys = self._within(listing, due), self._settings.keys
        return listing.log.deliveries(within=within, keys=keys, readable=None)

    def _within(self, listing: Listing, due: _Due) -> str:
        """Write the condition on the partitions, and on the objects in them, that are read for a day."""
        log = listing.log
        everything = [*listing.objects, *listing.left_out]
        needed, there = ({log.values(item) or () for item in each} for each in (due.raw, everything))
        within, apart = log.partitions.within(needed, there), Reading(listing).only(due.raw)
        if apart is None:
            of_day = [item for item in listing.objects if (at := log.local_arrival(item)) and at.date() == due.day.day]
            if len(of_day) != len(due.raw):
                raise QueryError(
                    f"{due.day.day} of {log.name} has {count(len(due.raw), 'new object')} among {len(of_day):,} in one "
                    "partition, too many to name: compact the day again (again=True)"
                )
            apart = log.of_day(due.day.day)
        return f"{within} and {apart}" if apart else within

    def _has_changed(self, listing: Listing, due: _Due, notes: list[str]) -> bool:
        """Return whether a day's objects are others than they were before it was written."""
        log, day = listing.log, due.day.day
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        now = self._catalog.listing(log, noon - timedelta(days=2), noon + timedelta(days=2))
        before = stamps(listing.objects)
        of_day = [item for item in now.objects if (at := log.local_arrival(item)) and at.date() == day]
        there = stamps(now.objects)
        changed = any(item.stamp not in before for item in of_day) or any(item.stamp not in there for item in due.raw)
        if changed:
            notes.append(f"{day} is not compacted, for its objects changed meanwhile: the next run does it")
        return changed

    def _looked_at(self, log: LogTable, days: Sequence[CompactedDay]) -> dict[str, tuple[list[Part], Held, int]]:
        """Return of each day what is in it, what its images hold, and how many changes do not say what they left."""
        texts = list[str]()
        for day in days:
            rows = log.compacted(DaysRead([(day.day, day.made)], [day.made]), written=True)
            texts += [census(all_readable(rows)), part("shapes", deliveries=rows, wanted="true")]
        running = self._queries.run(texts) if texts else []
        results = [self._result(query) for query in running]
        found = dict[str, tuple[list[Part], Held, int]]()
        for day, counts, shapes in zip(days, results[::2], results[1::2], strict=True):
            held, unknown = (shapes_to_schema(shapes), unknown_in(shapes)) if len(shapes) else (Held(), 0)
            found[day.place] = contents_of(counts), held, unknown
        return found

    def _described(
        self, log: LogTable, due: _Due, counts: pa.Table, contents: list[Part], held: Held, unknown: int
    ) -> CompactedDay:
        """Return a day with what is to be known of it, having compared it with what was read."""
        wanted = sum(each.changes for each in contents_of(counts))
        there = sum(each.changes for each in contents)
        if due.before and due.kept == due.before.objects:
            wanted += sum(each.changes for each in due.before.contents)
        if there != wanted and (not due.before or due.kept == due.before.objects):
            raise QueryError(
                f"{due.day.day} of {log.name} has {wanted:,} deliveries, and {there:,} were written: it is not "
                "compacted; run it again"
            )
        unreadable = list[Unreadable]()
        for _, lines in unreadable_of(counts, log, due.raw, self._catalog.session, self._settings.keys):
            unreadable += lines
        if due.before:
            kept = {path for path, *_ in due.kept}
            unreadable += [each for each in due.before.unreadable if each.object in kept]
        written = sum(item.size for item in self._catalog.below(due.day.place))
        return replace(
            due.day,
            bytes=written,
            unreadable=tuple(unreadable),
            contents=merged(contents),
            held=held,
            unknown=unknown,
        )

    def _result(self, query: RunningQuery) -> pa.Table:
        try:
            parts = list(self._queries.batches(query))
        finally:
            self._queries.clean(query)
        return pa.concat_tables(parts) if parts else pa.table({"path": [], "changes": []})

    def _remove(self, log: LogTable, days: Sequence[CompactedDay]) -> None:
        for day in days:
            self._days.remove(day)
            self._catalog.compacted.forget(log, [(day.day.isoformat(), day.made)])


def _row(due: _Due, day: CompactedDay) -> tuple[Any, ...]:
    changes = sum(each.changes for each in day.contents)
    made = datetime.strptime(day.made, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
    status = "made again" if due.again else "made"
    return day.day, status, len(day.objects), due.bytes, day.bytes, changes, len(day.unreadable), made


def _origin(log: LogTable) -> Log:
    """Tell where a log is: what is compacted is all of it, whatever is chosen."""
    return Log(log.location, log.location)


def _now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)
