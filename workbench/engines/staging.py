"""A change log as DuckDB reads it: a row a delivered change, whatever was read before, and by whichever process.

Objects are read once, into segments of the columnar store (`workbench.log.store`); where there is none, as on a disk
that is read-only, into a table in memory, for this process. Only objects that came since are read for a question.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count as count_up
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa

from workbench.engines.ingest import COLUMNS_READ, Batch, Ingest, Reader, as_it_is, batches, let_interrupt
from workbench.engines.schemas import schema_of
from workbench.errors import QueryError, StoreUnavailable, without_values
from workbench.log.arrivals import ENOUGH, ChangeTimes, Witness, Zone, infer_zone, sample_times, times_of, without_zone
from workbench.log.checkpoints import Checkpoint
from workbench.log.containers import FAILURE
from workbench.log.contents import Part, merged
from workbench.log.known import known_until
from workbench.log.listing import Listing, list_source
from workbench.log.objects import SCHEMA, Object, Stamp, Unreadable, arrival_of, stamps, time_in_path
from workbench.log.reader import read_changes
from workbench.log.segments import Segment, object_number
from workbench.log.store import LogStore
from workbench.model.attribute_schema import Held
from workbench.model.records import COLUMN_TYPES
from workbench.progress import reading
from workbench.sql.filters import like_key
from workbench.sql.literals import identifier, literal
from workbench.sql.templates import fill, load, part
from workbench.text import count

_ATTEMPTS = 3  # to read objects that are renamed or removed meanwhile
_LOOKED_AT = 200  # changes at the beginning of an object that tell the zone of its name
_SEGMENT = 16 << 20  # bytes of objects that make a segment: some 200,000 changes, whose sorting takes little memory
_TIMES = "times"  # what is noted of a segment: by an object's number, the times of its first changes
_HELD = "held 1"  # what is noted of a segment: by a condition, what the images of its changes hold; with its version
_MERGED = 8  # small segments that become one
_VIEWS = "views"  # what is noted of a segment: by a condition, which images its changes have
_VIEW = ("event_name", "has_new", "has_old", "first_change", "last_change")
_IN_MEMORY = 1 << 62  # with which row_ids of what is in memory begin
_OPTIONS = "format parquet, compression zstd, compression_level 1, row_group_size 20480"


class StagedLog:
    """The deliveries of one log, in a DuckDB connection; with a checkpoint, those after it."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        name: str,
        source: str,
        keys: Sequence[str],
        after: Checkpoint | None = None,
        zone: Zone | None = None,
        store: LogStore | None = None,
        known_at: datetime | None = None,
    ) -> None:
        self.source = source
        self.after = after
        self.objects: list[Object] = []
        """What is read."""
        self._con, self.store = con, store
        self._keys, self._ingest = tuple(keys), Ingest(con, keys)
        self._name, self._memory = name, identifier(f"{name} in memory")
        self._given_zone, self._zone, self._known_at = zone, Zone(), known_at
        self._arrived: dict[str, bool] = {}
        self._seen: dict[str, ChangeTimes | None] = {}
        self._seen_of: dict[str, Stamp] = {}
        self._undated = self._listing = Listing([])
        self._line_by_line = False
        self._stored: list[Segment] = []
        self._in_memory: list[Segment] = []
        self._wanted: frozenset[Stamp] = frozenset()
        self._failed: set[Stamp] = set()
        self._unstored, self._refused, self._lost, self._grown = "", False, False, False
        self._vanished: list[Unreadable] = []
        self._looked_into: dict[tuple[str, frozenset[Stamp]], tuple[Part, ...]] = {}
        self._facts: dict[tuple[str, frozenset[Stamp], str], Any] = {}
        columns = ", ".join(f"{column} {COLUMN_TYPES[column]}" for column in SCHEMA.names)
        con.execute(f"create or replace temp table {self._memory} ({columns}, object BIGINT)")

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """Every line of the log that is no change record, by object and line, and what lies beside the log."""
        lines = dict.fromkeys((*self._listing.foreign, *self.unread))
        return tuple(sorted(lines, key=lambda each: (each.object, each.line)))

    @property
    def unread(self) -> tuple[Unreadable, ...]:
        """What of the objects that were read is no change record."""
        own = {item.path for item in self.objects}  # where an object has changed since, what was wrong before is past
        before = [each for each in (self.after.unreadable if self.after else ()) if each.object not in own]
        read = [each for segment in self._segments for each in _part_of(segment, self._wanted).unreadable]
        return (*before, *read, *self._vanished)

    @property
    def listed(self) -> list[Object]:
        """Every object of the log."""
        return self._listing.objects

    @property
    def wrapped(self) -> Counter[str]:
        """How many changes were wrapped, by what they were wrapped in."""
        total = Counter[str]()
        for segment in self._segments:
            for wrapped in _part_of(segment, self._wanted).wrapped.values():
                total.update(wrapped)
        return total

    @property
    def notes(self) -> tuple[str, ...]:
        """What was read although it is unusual, and what was passed over."""
        notes = {name: f"{count(number, 'change')} read out of {name}" for name, number in sorted(self.wrapped.items())}
        if FAILURE in notes:
            notes[FAILURE] += ", of which Athena's table knows nothing"
        unstored = [f"read into memory, for this process alone: {self._unstored}"] if self._in_memory else []
        told = (*notes.values(), *self._listing.notes, *self._zone.note)
        return (*told, *unstored) if self._unstored else told

    @property
    def bytes(self) -> int:
        """Size of what is read."""
        return sum(item.size for item in self.objects) + (self.after.bytes if self.after else 0)

    def refresh(self) -> bool:
        """Read the objects that came since, and return whether there were any."""
        self._grown, self._refused, gone = False, False, list[Object]()
        for _ in range(_ATTEMPTS):
            try:
                self.listing()
                self.objects = [item for item in self.listed if not (self.after and self.after.holds(item))]
                self._vanished, gone = [], self._read_new()
            except StoreUnavailable as error:  # not even to be read
                self._lost, self._unstored = True, without_values(error)
                continue
            except duckdb.Error as error:
                raise QueryError(f"{self.source} could not be read: {without_values(error)}") from error
            if not gone:  # renamed or removed while they were read: list again
                break
        else:
            advice = "vanished while it was read: ask again when the copy is over"
            self._vanished = [Unreadable(item.path, 0, advice) for item in gone]
        return self._grown

    def listing(self) -> Listing:
        """List the objects there are, or there were when the log was known as it is asked for; none is read."""
        self._undated = list_source(self.source, self._undated)
        self._listing = self._dated(self._undated)
        if self._known_at:
            known = known_until(self.listed, self._known_at)
            notes = (*known.notes, *self._listing.notes)
            self._listing = replace(self._listing, objects=known.objects, notes=notes)
        return self._listing

    @property
    def zone(self) -> Zone:
        """The time zone in which folders and names tell arrivals, as far as it is known."""
        if not self._undated.objects:
            self.listing()
        return self._zone

    def had_arrived(self, checkpoint: Checkpoint) -> bool:
        """Return whether all that a checkpoint was made from had arrived when the log was known as it is asked for."""
        if self._known_at is None:
            return True
        if checkpoint.place not in self._arrived:
            clocks = (arrival_of(Path(path).as_posix()) for path, *_ in checkpoint.objects)
            arrivals = (self.zone.utc(clock and without_zone(clock)) for clock in clocks)
            self._arrived[checkpoint.place] = all(each and each <= self._known_at for each in arrivals)
        return self._arrived[checkpoint.place]

    def _dated(self, listing: Listing) -> Listing:
        """Date objects by the time zone of their names and folders, which is UTC where too few tell another."""
        self._zone = self._given_zone or self._infer_zone(listing.objects)
        if self._zone.tz is UTC:
            return listing
        return replace(
            listing,
            objects=[
                replace(item, arrival=self._zone.utc(item.arrival and without_zone(item.arrival)))
                for item in listing.objects
            ],
        )

    def _infer_zone(self, objects: Sequence[Object]) -> Zone:
        by_number = {str(self._number(item.stamp)): item.path for item in objects} if self.store else {}
        for segment in self._all_stored():
            for number, times in segment.facts.get(_TIMES, {}).items():
                if number in by_number:
                    self._seen.setdefault(by_number[number], ChangeTimes(*map(datetime.fromisoformat, times)))
        for item in objects:
            if self._seen_of.get(item.path) not in (None, item.stamp):  # it was replaced
                self._seen.pop(item.path, None)
            self._seen_of[item.path] = item.stamp
        seen = sample_times([item for item in objects if item.arrival], self._seen, self._look)
        arrivals = ((time_in_path(Path(item.path).as_posix()), times) for item, times in seen)
        witnesses = [Witness(without_zone(by[0]), by[1], times) for by, times in arrivals if by]
        return infer_zone(witnesses) if len(witnesses) >= ENOUGH else Zone()

    def _look(self, item: Object) -> ChangeTimes | None:
        try:
            return times_of(islice(read_changes(item, self._keys), _LOOKED_AT))
        except OSError:
            return None

    @property
    def contents(self) -> tuple[Part, ...]:
        """What is in the log, and in the checkpoint before it."""
        parts = [each for segment in self._segments for each in self._contents_of(segment)]
        return merged((*(self.after.contents if self.after else ()), *parts))

    def deliveries(self, start: datetime | None = None, end: datetime | None = None) -> str:
        """Return a relation of the deliveries: a row a change as often as it was delivered, and its row_id.

        Parameters
        ----------
        start, end
            Only changes from, and until, these instants (UTC) are needed; others may be there too.
        """
        first, last = (moment and moment.astimezone(UTC).replace(tzinfo=None) for moment in (start, end))
        segments = [
            each
            for each in self._stored
            if each.first and each.last and (not last or each.first <= last) and (not first or each.last >= first)
        ]
        parts = [self._of_store(segments)] if segments else []
        if self._in_memory or not segments:
            parts.append(f"select *, {_IN_MEMORY} + rowid as row_id from {self._memory}")
        part = f" from {first} until {last}" if len(segments) < len(self._stored) else ""  # a query may read several
        view = identifier(f"{self._name}{part}")
        self._con.execute(f"create or replace temp view {view} as {' union all by name '.join(parts)}")
        return view

    def lacks(self, objects: Collection[Stamp]) -> bool:
        """Return whether some objects are not in the log any more."""
        return not stamps(list_source(self.source, self._undated).objects).issuperset(objects)

    def is_stored(self) -> bool:
        """Return whether every object of the log has been read into the store."""
        stored = {stamp for each in self._all_stored() for stamp in each.objects}
        return stored.issuperset(item.stamp for item in list_source(self.source, self._undated).objects)

    def linked(self, folder: Path) -> str:
        """Return a query of the deliveries that needs nothing but a folder, and whose rows stay what they are now.

        The folder gets links to the store's files, or copies where the file system has none, and what is in memory.

        Raises
        ------
        FileNotFoundError
            Where another process has removed a file of the store.
        """
        if self._in_memory or not self._stored:
            memory = folder / f"{uuid4().hex}.parquet"
            changes = fill(load("parts/write_segment"), names={"changes": f"select * from {self._memory}"})
            self._con.execute(f"copy ({changes}) to {literal(str(memory))} ({_OPTIONS})")
        else:
            memory = None
        for each in self._stored:
            assert self.store
            _link(self.store.path(each), folder / each.name)
        files = [folder / each.name for each in self._stored]
        return f"({_read_segments([*files, *([memory] if memory else [])], self._live(self._stored))})"

    def held(self, within: str, table: str) -> Held:
        """Return what the images of changes hold, and their keys, of the objects that are read.

        Parameters
        ----------
        within
            A condition on changes, as SQL.
        table
            Whose keys they are; where the log has none of this name, they are those of all.

        Raises
        ------
        RecordRefused
            Where an image is not DynamoDB JSON.
        """
        found, tables = Held(), {part.table for part in self.contents}
        for segment in self._segments:
            found.merge(self._held_in(segment, within, {table} if table in tables else tables, found))
        return found

    def _held_in(self, segment: Segment, within: str, tables: Collection[str], known: Held) -> Held:
        def read(relation: str) -> dict[str, Any]:
            changes = f"(select keys, new_image, old_image from ({relation}) as log where {within})"
            keys = [json.loads(each.keys) for each in self._contents_of(segment) if each.table in tables]
            return schema_of(self._con, changes, keys, known).to_json()

        return Held.from_json(self._noted(segment, _HELD, within, read))

    def _noted(self, segment: Segment, fact: str, within: str, read: Callable[[str], Any]) -> Any:
        """Return a fact of a segment's changes of which a condition holds; note it where that is all there is in it.

        Parameters
        ----------
        read
            Tells it, as JSON has it, of a query of the changes.
        """
        objects = segment.objects & self._wanted
        whole = len(objects) == len(segment.objects)
        if whole and (noted := segment.facts.get(fact, {}).get(within)) is not None:
            return noted
        if (fact, objects, within) not in self._facts:
            stored = bool(segment.name) and self.store
            in_memory = f"select * from {self._memory} where {self._only(objects)}"
            told = self._facts[fact, objects, within] = read(self._of_store([segment]) if stored else in_memory)
            if whole and stored:
                with suppress(StoreUnavailable):  # then it is computed again, another time
                    stored.note(segment.name, {fact: {**segment.facts.get(fact, {}), within: told}})
        return self._facts[fact, objects, within]

    def views(self, within: str) -> list[dict[str, Any]]:
        """Tell which images changes have, by event, and from when to when, as `stream_views.sql` counts them.

        Parameters
        ----------
        within
            A condition on changes, as SQL.
        """

        def read(relation: str) -> list[list[Any]]:
            rows = self._con.execute(part("views", deliveries=f"({relation})", within=within)).fetchall()
            return [[*row[:3], *map(datetime.isoformat, row[3:])] for row in rows]

        told = [row for segment in self._segments for row in self._noted(segment, _VIEWS, within, read)]
        return [dict(zip(_VIEW, [*row[:3], *map(datetime.fromisoformat, row[3:])], strict=True)) for row in told]

    def arrivals(self) -> str:
        """Return a relation of the objects: object, their number, and arrival (UTC, null where not known)."""
        arrivals = [item.arrival and item.arrival.replace(tzinfo=None) for item in self.objects]
        numbers = pa.array([self._number(item.stamp) for item in self.objects], pa.int64())
        rows = pa.table({"object": numbers, "arrival": pa.array(arrivals, pa.timestamp("us"))})  # noqa: F841
        self._con.execute("create or replace temp table arrivals as select * from rows")
        return "arrivals"

    def by_number(self) -> dict[int, Object]:
        """Return the objects by the numbers that deliveries have in the column `object`."""
        return {self._number(item.stamp): item for item in self.objects}

    def reread(self) -> None:
        """Read the whole log line by line, for what only the slow reader can tell."""
        self._line_by_line = True
        self._forget_memory({stamp for each in self._in_memory for stamp in each.objects})
        if self.store:
            self.store.drop([each.name for each in self._all_stored() if not each.lines])
        self.refresh()

    def mended(self) -> bool:
        """Take damaged segments out of the store, and return whether there were any."""
        if self.store is None:
            return False
        damaged = self.store.damaged(whole=True)
        self.store.drop(damaged)
        names = {each.name for each in self._all_stored()}  # others may have merged or cleared what was read here
        gone = [each for each in self._stored if each.name not in names or not self.store.path(each).exists()]
        return bool(damaged or gone)

    # What is read, and where it is.

    def _all_stored(self) -> Sequence[Segment]:
        return () if self.store is None or self._lost else self.store.segments()

    @property
    def _segments(self) -> list[Segment]:
        return [*self._stored, *self._in_memory]

    def _number(self, stamp: Stamp) -> int:
        return self.store.number(stamp) if self.store else object_number(*stamp)

    def _only(self, stamps: Iterable[Stamp]) -> str:
        """Write the condition on the deliveries of some objects."""
        numbers = sorted(map(self._number, stamps))
        return f"object in ({', '.join(map(str, numbers))})" if numbers else "false"

    def _of_store(self, segments: Sequence[Segment]) -> str:
        """Write the query of what is stored: without objects that are gone, or in a checkpoint."""
        assert self.store
        return _read_segments(map(self.store.path, segments), self._live(segments))

    def _live(self, segments: Iterable[Segment]) -> str:
        """Write the condition on what is stored in segments, without objects that are gone, or in a checkpoint."""
        unwanted = [stamp for each in segments for stamp in each.objects - self._wanted]
        return f"not {self._only(unwanted)}" if unwanted else "true"

    def _contents_of(self, segment: Segment) -> tuple[Part, ...]:
        unwanted = segment.objects - self._wanted
        if not unwanted:
            return segment.contents
        if (segment.name, unwanted) not in self._looked_into:
            self._looked_into[segment.name, unwanted] = self._look_into(f"({self._of_store([segment])})")
        return self._looked_into[segment.name, unwanted]

    def _missing(self) -> list[Object]:
        """Look what there is of the objects, and return those that are not read yet."""
        self._wanted = stamps(self.objects)
        self._stored, stored = [], set[Stamp]()
        if self.store and not self._lost:
            if damaged := self.store.damaged():
                self.store.drop(damaged)
            self._stored = [each for each in self._all_stored() if not self._wanted.isdisjoint(each.objects)]
            stored = {stamp for each in self._stored for stamp in each.objects}
        in_memory = {stamp for each in self._in_memory for stamp in each.objects}
        self._forget_memory((in_memory - self._wanted) | (in_memory & stored))
        return [item for item in self.objects if item.stamp not in stored and item.stamp not in in_memory]

    def _look_into(self, relation: str) -> tuple[Part, ...]:
        """Tell what a relation holds; the types of keys by the patterns of those seen, which is fastest."""
        seen: dict[str, str] = {}
        while True:
            cases = "".join(f"when {pattern} then {literal(schema)} " for schema, pattern in seen.items())
            schema = f"case {cases}end" if seen else "null"
            other = self._con.execute(f"select keys from {relation} where {schema} is null limit 1").fetchone()
            if other is None:
                break
            types = {name: kind for name, value in json.loads(other[0]).items() for kind in value}
            seen[json.dumps(types, ensure_ascii=False, separators=(",", ":"))] = like_key(types)
        text = part("contents", key_schema=schema, deliveries=relation)
        return tuple(Part(*row) for row in self._con.execute(text).fetchall())

    # Reading.

    def _read_new(self) -> list[Object]:
        """Read what is not read yet, and return what vanished meanwhile."""
        self._forget_memory(self._failed)
        self._failed, vanished = set(), list[Object]()
        for number in count_up():
            if not (missing := [item for item in self._missing() if item not in vanished]):
                break
            if number == _ATTEMPTS:
                self._refused, self._unstored = True, "other processes change the store all the time"
            readers = self._ingest.readers(missing, line_by_line=self._line_by_line)
            size = sum(item.size for item in missing)
            with reading(Path(self.source).name, len(missing), size) as bar:
                for some in batches(missing, _SEGMENT):
                    changes, gone = self._read(some, readers)
                    vanished += gone
                    bar.update(len(some), changes, sum(item.size for item in some))
            self._grown = True
        if self._grown and self.store and not self._refused:
            self._tidy(self.store)
            self._missing()
        if self.store:
            self.store.touch()
        return vanished

    def _read(self, objects: Sequence[Object], readers: Mapping[Object, Reader]) -> tuple[int, list[Object]]:
        """Read objects, and return how many changes they hold, and those that vanished, or changed, meanwhile."""
        if self.store and not self._refused and not self._lost:
            try:
                return self._read_into(self.store, objects, readers)
            except (StoreUnavailable, duckdb.IOException) as error:  # such as a full disk
                let_interrupt(error)
                self._refused, self._unstored = True, _why(error, self.store.folder)
        return self._read_into(None, objects, readers)

    def _read_into(
        self, store: LogStore | None, objects: Sequence[Object], readers: Mapping[Object, Reader]
    ) -> tuple[int, list[Object]]:
        changes = 0
        numbers = {item: self._number(item.stamp) for item in objects}
        with _Writing(self._con, store) as writing:
            batch = self._ingest.read({item: readers[item] for item in objects}, numbers, writing.write)
            changed = [item for item in batch.objects if not _is_as_listed(item)]
            read = [item for item in batch.objects if item not in changed]
            stored = [item for item in read if item not in batch.failed] if store else []
            if in_memory := [item for item in read if item not in stored]:
                changes += self._keep_in_memory(batch, in_memory)
            self._failed |= stamps(batch.failed)  # another time they may be read
            if stored and store:
                if len(stored) < len(objects):
                    query = f"select {COLUMNS_READ} from {batch.relation} where {self._only(stamps(stored))}"
                    batch.relation = writing.write(query)
                segment = self._segment(batch, stored)
                store.add(writing.hand_over(), segment)
                changes += segment.rows
        return changes, [*batch.vanished, *changed]

    def _segment(self, batch: Batch, objects: Sequence[Object]) -> Segment:
        """Describe what was read of objects."""
        paths = {item.path for item in objects}
        relation = f"(select * from {batch.relation} where {self._only(stamps(objects))})"
        return replace(
            self._described(relation, stamps(objects)),
            unreadable=tuple(each for each in batch.unreadable if each.object in paths),
            wrapped={path: counts for path, counts in batch.wrapped.items() if path in paths},
            lines=self._line_by_line,
        )

    def _described(self, relation: str, objects: frozenset[Stamp]) -> Segment:
        """Describe what a relation holds, which are all changes of some objects."""
        contents = self._look_into(relation)
        return Segment(
            "",
            objects,
            sum(each.changes for each in contents),
            first=min((each.first for each in contents), default=None),
            last=max((each.last for each in contents), default=None),
            contents=contents,
        )

    def _keep_in_memory(self, batch: Batch, objects: Sequence[Object]) -> int:
        segment = self._segment(batch, objects)
        where = self._only(segment.objects)
        self._con.execute(f"insert into {self._memory} select {COLUMNS_READ} from {batch.relation} where {where}")
        self._in_memory.append(segment)
        return segment.rows

    def _forget_memory(self, stamps: Collection[Stamp]) -> None:
        """Drop objects that are in memory."""
        if not stamps:
            return
        self._con.execute(f"delete from {self._memory} where {self._only(stamps)}")
        kept = []
        for each in self._in_memory:
            if left := each.objects - frozenset(stamps):
                source = f"(select * from {self._memory} where {self._only(left)})"
                changed = len(left) < len(each.objects)
                kept.append(replace(each, objects=left, contents=self._look_into(source)) if changed else each)
        self._in_memory = kept

    def _tidy(self, store: LogStore) -> None:
        """Merge what was stored; what the file system refuses now is left for another time."""
        try:
            self._merge(store)
            self._missing()
            self._keep_times(store)
            store.collect()
        except (StoreUnavailable, duckdb.IOException) as error:
            let_interrupt(error)

    def _keep_times(self, store: LogStore) -> None:
        """Note the times that told the zone, so that other processes need not look for them."""
        for segment in self._stored:
            own = {stamp[0]: str(self._number(stamp)) for stamp in segment.objects}
            noted = segment.facts.get(_TIMES, {})
            seen = {own[path]: times for path, times in self._seen.items() if times and path in own}
            if seen.keys() - noted.keys():
                store.note(segment.name, {_TIMES: noted | {n: [*map(str, t)] for n, t in seen.items()}})

    def _merge(self, store: LogStore) -> None:
        """Make one segment of several small ones of about the same size, the oldest first, and drop what is gone."""
        there = stamps(self._undated.objects)
        by_size: dict[int, list[Segment]] = {}
        gone = []
        for each in store.segments():
            if len(each.objects & there) * 2 < len(each.objects):
                gone.append(each)
            elif size := _size_class(each.bytes):
                by_size.setdefault(size, []).append(each)
        for segments in (gone, *by_size.values()):
            segments.sort(key=lambda each: each.first or datetime.min)
            most = len(segments) if segments is gone else len(segments) // _MERGED * _MERGED
            for first in range(0, most, _MERGED):
                self._merge_into_one(store, segments[first : min(first + _MERGED, most)], there)

    def _merge_into_one(self, store: LogStore, segments: Sequence[Segment], there: frozenset[Stamp]) -> None:
        objects = frozenset(stamp for each in segments for stamp in each.objects & there)
        names = [each.name for each in segments]
        if not objects:
            store.drop(names)
            return
        parts = [_part_of(each, there) for each in segments]
        query = _read_segments(map(store.path, segments), self._only(objects))
        with _Writing(self._con, store) as writing:
            merged_segment = replace(
                self._described(writing.write(f"select * exclude (row_id) from ({query})"), objects),
                unreadable=tuple(line for each in parts for line in each.unreadable),
                wrapped={path: counts for each in parts for path, counts in each.wrapped.items()},
                lines=all(each.lines for each in segments),
                facts=_merged_facts(segments, objects),
            )
            store.add(writing.hand_over(), merged_segment, names)


class _Writing:
    """Makes relations of queries, each in place of the one before: files that may become segments, or tables."""

    def __init__(self, con: duckdb.DuckDBPyConnection, store: LogStore | None) -> None:
        self._con, self._store = con, store
        self._file: Path | None = None
        self._table = ""

    def __enter__(self) -> _Writing:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.unlink(missing_ok=True)
        if self._table:
            self._con.execute(f"drop table if exists {self._table}")

    def write(self, query: str) -> str:
        """Return a relation of what a query finds."""
        if self._store is None:
            before, table = self._table, "batch_2" if self._table == "batch_1" else "batch_1"
            self._con.execute(f"create or replace temp table {table} as {query}")
            self._table = table
            if before:
                self._con.execute(f"drop table {before}")
            return self._table
        old, self._file = self._file, self._store.new_file()
        sorted_changes = fill(load("parts/write_segment"), names={"changes": query})
        self._con.execute(f"copy ({sorted_changes}) to {literal(str(self._file))} ({_OPTIONS})")
        if old:
            old.unlink(missing_ok=True)
        return f"({_read_segments([self._file], 'true')})"

    def hand_over(self) -> Path:
        """Return the file that was written last, which is another's from now on."""
        assert self._file
        file, self._file = self._file, None
        return file


def _why(error: Exception, folder: Path) -> str:
    """Say why a store cannot be written; DuckDB tells it as JSON."""
    number = re.search(r'"errno":"(\d+)"', str(error))
    if isinstance(error, StoreUnavailable) or not number:
        return without_values(error)
    return f"the store {folder} cannot be written: {os.strerror(int(number[1]))}"


def _link(file: Path, link: Path) -> None:
    """Have a file under another name too, where it stays when the first one is removed."""
    if link.exists():
        return
    try:
        os.link(file, link)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links, or another one
        shutil.copyfile(file, link)


def _read_segments(files: Iterable[Path], live: str) -> str:
    paths = [as_it_is(str(file)) for file in files]
    return fill(load("parts/read_segments"), {"paths": paths}, {"live": live})


def _part_of(segment: Segment, stamps: frozenset[Stamp]) -> Segment:
    """Return a segment with what is noted of some objects: another may have had the path of one of them before."""
    paths = {path for path, *_ in segment.objects & stamps}
    return replace(
        segment,
        objects=segment.objects & stamps,
        unreadable=tuple(each for each in segment.unreadable if each.object in paths),
        wrapped={path: counts for path, counts in segment.wrapped.items() if path in paths},
    )


def _merged_facts(segments: Sequence[Segment], objects: frozenset[Stamp]) -> dict[str, Any]:
    """Return what is noted of a segment that is made of others, of some of their objects."""
    facts: dict[str, Any] = {_TIMES: {k: v for each in segments for k, v in each.facts.get(_TIMES, {}).items()}}
    if all(each.objects <= objects for each in segments):
        held: dict[str, Held] = {}
        every = [each.facts.get(_HELD, {}) for each in segments]
        for within in set(every[0]).intersection(*every):
            for noted in every:
                held.setdefault(within, Held()).merge(Held.from_json(noted[within]))
        facts[_HELD] = {within: each.to_json() for within, each in held.items()}
    return facts


def _size_class(size: int) -> int:
    """Return how often a segment has to grow by `_MERGED` to be as large as it should be.

    >>> _size_class(16 << 20), _size_class(1 << 20), _size_class(100 << 10)
    (0, 1, 2)
    """
    number, least = 0, _SEGMENT // _MERGED
    while size < least:
        number, least = number + 1, least // _MERGED
    return number


def _is_as_listed(item: Object) -> bool:
    """Return whether an object is still what was listed; one that is being copied grows."""
    try:
        stat = Path(item.path).stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (item.size, item.modified)
