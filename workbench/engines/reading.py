"""What a question on Athena reads: objects of a log, or a checkpoint or compacted days and the objects beside these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from workbench.aws.log_tables import Listing, LogTable
from workbench.engines.scan import Window
from workbench.errors import QueryError
from workbench.log.checkpoints import Checkpoint
from workbench.log.compaction import CompactedDay
from workbench.log.manifests import unreadable_by_path
from workbench.log.objects import Object, Stamp, Unreadable, arrival_of, stamps
from workbench.sql.layouts import DaysRead, of_paths
from workbench.text import count

_LONGEST_CONDITION = 100_000  # characters: Athena takes a text of 262,144 bytes


@dataclass(frozen=True)
class Reading:
    """What a question reads: objects of a log, or a checkpoint, or compacted days, and the objects beside these."""

    listing: Listing
    """The objects of the window."""
    window: Window = field(default_factory=Window)
    checkpoint: Checkpoint | None = None
    days: tuple[CompactedDay, ...] = ()
    """The compacted days there are, none of which has an object of another."""
    chosen: Sequence[Object] | None = None
    """What is wanted of the objects of the window, and of those that are gone; None: all."""

    @property
    def log(self) -> LogTable:
        """The log, with what is known of its partitions."""
        return self.listing.log

    @property
    def listed(self) -> Sequence[Object]:
        """The objects of the window that Athena can read."""
        return self.listing.objects

    @cached_property
    def gone(self) -> list[Object]:
        """Objects of the window that are not in the log any more, and are in compacted days."""
        there = {item.path for item in (*self.listed, *self.listing.left_out, *self.listing.unread)}
        low, high = self.listing.span
        gone = []
        for day in self.days:
            began = datetime(day.day.year, day.day.month, day.day.day)
            if began <= high and (low == datetime.min or began > low - timedelta(days=1)):
                gone += [Object(*each, "json", arrival_of(each[0])) for each in day.objects if each[0] not in there]
        return [dated for item in gone if (dated := self.listing.dated(item))]

    @property
    def objects(self) -> list[Object]:
        """Those that are read in the log."""
        return self._split[0]

    @property
    def used_days(self) -> list[CompactedDay]:
        """The compacted days that are read, some in part."""
        return self._split[1]

    @property
    def days_read(self) -> DaysRead:
        """The same as SQL is made of."""
        return self._split[2]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to read."""
        return not (self.objects or self.used_days or self.checkpoint)

    @property
    def covered(self) -> list[Object]:
        """All objects an answer stands on, but those that a checkpoint alone knows."""
        taken = {stamp for day in self.used_days for stamp in day.objects}
        return [*self.listed, *(item for item in self.gone if item.stamp in taken)]

    @property
    def kept(self) -> list[Checkpoint | CompactedDay]:
        """What is read in the place of objects."""
        return [*filter(None, [self.checkpoint]), *self.used_days]

    @cached_property
    def told(self) -> Mapping[Object, tuple[Unreadable, ...]]:
        """The objects in whose place something is read, with their lines that are no change records."""
        found: dict[Object, tuple[Unreadable, ...]] = {}
        for kept in self.kept:
            unreadable = unreadable_by_path(kept.unreadable)
            found |= {item: unreadable.get(item.path, ()) for item in self.covered if kept.holds(item)}
        return found

    @cached_property
    def _split(self) -> tuple[list[Object], list[CompactedDay], DaysRead, list[CompactedDay]]:
        """Tell what is read in the log, what in compacted days, and which of these no condition is short enough for."""
        every = self.chosen if self.chosen is not None else (*self.listed, *self.gone)
        wanted = {item.stamp: item for item in every if not (self.checkpoint and self.checkpoint.holds(item))}
        gone = stamps(self.gone)
        raw, used, skipped, whole = dict(wanted), list[CompactedDay](), list[CompactedDay](), list[str]()
        hours, paths = set[str](), set[str]()
        for day in self.days:
            of_day = {stamp: wanted[stamp] for stamp in day.objects & wanted.keys()}
            if not of_day:
                continue
            if len(of_day) == len(day.objects):
                whole.append(day.made)
            else:
                only_there = any(stamp in gone or item.archived for stamp, item in of_day.items())
                if not only_there and sum(item.size for item in of_day.values()) <= day.bytes:
                    continue
                in_hours = self._hours(day, of_day.keys())
                relative = {path.removeprefix(day.log.root) for path, *_ in of_day}
                if in_hours is None and not only_there and sum(map(len, relative)) > _LONGEST_CONDITION:
                    skipped.append(day)
                    continue
                hours |= in_hours or set()
                paths |= relative if in_hours is None else set()
            used.append(day)
            for stamp in of_day:
                raw.pop(stamp)
        objects = [item for stamp, item in raw.items() if stamp not in gone]
        if self._others(objects) and self._apart(objects) is None:
            objects = [item for stamp, item in wanted.items() if stamp not in gone]
            return objects, [], DaysRead(()), [*used, *skipped]
        return objects, used, DaysRead([(day.day, day.made) for day in used], whole, hours, paths), skipped

    def _hours(self, day: CompactedDay, wanted: set[Stamp] | object) -> set[str] | None:
        """Return the hours in which what is wanted of a day arrived, and nothing else; None where there are none."""
        of_wanted, of_others = set[str](), set[str]()
        for stamp in day.objects:
            arrived = self.log.local_arrival(Object(*stamp, "json", None))
            if arrived is None:
                return None
            (of_wanted if stamp in wanted else of_others).add(f"{arrived:%Y-%m-%d %H}")  # type: ignore[operator]
        return of_wanted if of_wanted.isdisjoint(of_others) else None

    @cached_property
    def _held(self) -> frozenset[Stamp]:
        return frozenset[Stamp]().union(*(day.objects for day in self.days))

    def _others(self, objects: Sequence[Object]) -> list[str]:
        """Return the paths of what is in the partitions of objects, and must not be read with these."""
        if not self.days:
            return []
        kept, wanted = {self.log.values(item) for item in objects}, {item.path for item in objects}
        return [
            item.path
            for item in self.listed
            if item.path not in wanted and item.stamp in self._held and self.log.values(item) in kept
        ]

    def _apart(self, objects: Sequence[Object]) -> str | None:
        condition = of_paths({item.path for item in objects}, self._others(objects))
        return condition if len(condition) < _LONGEST_CONDITION else None

    def only(self, objects: Sequence[Object]) -> str | None:
        """Write the condition that leaves out all others in the partitions of some objects.

        It is '' where there are no others; None where it would be too long.
        """
        kept, wanted = {self.log.values(item) for item in objects}, {item.path for item in objects}
        listed = (*self.listed, *self.listing.left_out)
        others = [item.path for item in listed if item.path not in wanted and self.log.values(item) in kept]
        condition = of_paths(wanted, others) if others else ""
        return condition if len(condition) < _LONGEST_CONDITION else None

    def apart(self, objects: Sequence[Object]) -> str:
        """Write the condition on the objects of rows that leaves those out that compacted days hold; '' where none."""
        return (self._apart(objects) or "") if self._others(objects) else ""

    def refuse_archived(self) -> None:
        """Refuse to read what Athena would skip.

        Raises
        ------
        QueryError
            Naming the first of the objects.
        """
        archived = [] if self.log.restored else [item for item in self.objects if item.archived]
        if archived:
            raise QueryError(
                f"{count(len(archived), 'object')} of the log {'is' if len(archived) == 1 else 'are'} in an archive of "
                f"S3, which Athena skips, and in no compacted day, the first: {archived[0].path}; restore them, and "
                f"set read_restored_glacier_objects on {self.log.database}.{self.log.name}, or ask of a later window"
            )

    @property
    def scanned(self) -> list[Object]:
        """Those in the partitions that are read."""
        if self.apart(self.objects):
            return self.objects
        kept = {self.log.values(item) for item in self.objects}
        return [item for item in (*self.listed, *self.listing.left_out) if self.log.values(item) in kept]

    @property
    def kept_bytes(self) -> int:
        """Size of what is read beside the log."""
        return sum(day.bytes for day in self.used_days) + (self.checkpoint.bytes if self.checkpoint else 0)

    @property
    def bytes(self) -> int:
        """Size of what is read."""
        return sum(item.size for item in self.objects) + self.kept_bytes

    @property
    def notes(self) -> tuple[str, ...]:
        """What an answer stands on."""
        whole = self.window == Window(starts=self.window.starts)
        notes = self.checkpoint.notes(self.listed if whole else None, len(self.objects)) if self.checkpoint else ()
        return (*notes, *self._notes_on_days, *self.listing.notes)

    @property
    def _notes_on_days(self) -> tuple[str, ...]:
        notes, skipped = list[str](), self._split[3]
        if self.used_days:
            beside = count(len(self.objects), "object")
            notes.append(f"{_named(self.used_days)}, and {beside} beside")
        if skipped:
            notes.append(
                f"{_named(skipped)} not used, for no query could name all the objects to be read of them, or beside "
                "them: their objects are read in the log"
            )
        taken = {stamp for day in self.used_days for stamp in day.objects}
        lost = {stamp for day in skipped for stamp in day.objects} - taken
        if gone := sum(item.stamp in taken for item in self.gone):
            notes.append(f"gone from the log: {count(gone, 'object')} of compacted days, whose changes still count")
        if gone := sum(item.stamp in lost for item in self.gone):
            notes.append(
                f"gone from the log: {count(gone, 'object')} of days that are not used: their changes are missing"
            )
        return tuple(notes)


def _named(some: Sequence[CompactedDay]) -> str:
    days = sorted(day.day for day in some)
    span = f"of {days[0]}" if len(days) == 1 else f"from {days[0]} to {days[-1]}"
    return f"{count(len(days), 'compacted day')} {span}"
