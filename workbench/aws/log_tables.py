"""A table of the Glue catalog that holds a change log: when its objects arrived, and the SQL that reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from workbench.aws.crawled_columns import Sample
from workbench.aws.partition_values import Values
from workbench.aws.partitions import BEFORE, Partitions
from workbench.aws.table_definitions import Stored
from workbench.log.arrivals import Zone, without_zone
from workbench.log.known import known_until
from workbench.log.objects import Object, arrival_of
from workbench.sql import layouts
from workbench.sql.literals import identifier, literal
from workbench.sql.questions import CHANGE


@dataclass(frozen=True)
class LogTable:
    """A table of the catalog that holds a change log; `workbench.aws.catalog.Catalog.table` makes it.

    >>> log = LogTable("persons", "logs", "s3://bucket/data/persons/", "envelope", {}, "json", Partitions(), False)
    >>> log.sql_name
    '"logs"."persons"'
    """

    name: str
    database: str
    location: str
    layout: layouts.Layout | None
    columns: Mapping[str, str]
    stored: Stored
    partitions: Partitions
    projected: bool
    only: str | None = None
    """The DynamoDB table meant, where it has another name."""
    zone: Zone = field(default_factory=Zone)
    """In which the folders and names of its objects tell when these arrived."""
    named: bool = True
    """Whether the objects' names tell the same times as their folders, and more exactly."""
    sample: Sample | None = None
    """What the newest objects have beside the columns, where these may lack something."""

    @property
    def sql_name(self) -> str:
        """The table's name as SQL."""
        return f"{identifier(self.database)}.{identifier(self.name)}"

    def checkpoint(self, id: str) -> str:
        """Write the subquery that reads a checkpoint of the log."""
        name = f"{identifier(self.database)}.{identifier(f'{self.name}_checkpoints')}"
        columns = ("cast(ts as timestamp(6)) as ts" if each == "ts" else each for each in CHANGE)
        return f"(select {', '.join(columns)} from {name} where checkpoint = {literal(id)})"

    def values(self, item: Object) -> Values | None:
        """Return the values of the partition an object is read with; None where no partition has it."""
        return self.partitions.values(item.path, self.location)

    def interval(self, item: Object) -> tuple[datetime, datetime] | None:
        """Return from when to when, in local time, an object arrived by its partition."""
        values = self.values(item)
        return None if values is None else self.partitions.interval(values)

    def arrival_span(self, item: Object) -> tuple[datetime, datetime] | None:
        """Return from when to when an object arrived by its partition or, where it is in none, by its folders."""
        if self.values(item) is not None:
            return self.interval(item)
        day = arrival_of(item.path.rpartition("/")[0] + "/")
        return (without_zone(day), without_zone(day) + timedelta(days=1)) if day else None

    def agrees(self, item: Object) -> bool:
        """Return whether an object's name does not contradict its folder."""
        span, name = self.interval(item), time_in_name(item)
        return not span or not name or span[0] <= name < span[1]

    def witness(self, item: Object) -> tuple[datetime, timedelta] | None:
        """Return what an object's name, else its partition, tells of its arrival, and how exactly."""
        if self.named and (name := time_in_name(item)):
            return name, timedelta(seconds=1)
        span = self.interval(item)
        return span and (span[0], span[1] - span[0])

    def local_arrival(self, item: Object) -> datetime | None:
        """Return when an object arrived, in the zone of its folders."""
        if witness := self.witness(item):
            return witness[0]
        arrival = None if self.partitions.units else arrival_of(item.path)
        return arrival and without_zone(arrival)

    def needed_until(self, item: Object) -> datetime | None:
        """Return until when windows may start whose questions read an object, UTC; None where all do."""
        span = self.interval(item)
        if span is None:
            return None
        if self.zone.given and self.zone.tz:
            return span[1].replace(tzinfo=self.zone.tz).astimezone(UTC) + self.zone.early + BEFORE
        return span[1].replace(tzinfo=UTC) - self.zone.least + self.zone.early + BEFORE

    def deliveries(
        self,
        *,
        within: str = "true",
        keys: Sequence[str] = (),
        arrivals: Sequence[Object] | None = None,
        known_at: datetime | None = None,
        there: Sequence[Object] = (),
        readable: bool | None = True,
        origin: Mapping[str, str] | None = None,
    ) -> str:
        """Write the subquery that reads the table, with the arrivals of objects; see `sql.layouts.deliveries`.

        Parameters
        ----------
        known_at, there
            Of the objects that are there, only what had arrived by then.
        """
        folder = self.location.rstrip("/").rpartition("/")[2]
        arrival = None if arrivals is None else self._arrival(arrivals)
        known = (self._arrival(there), known_at) if known_at else None
        return layouts.deliveries(
            self.sql_name,
            self.columns,
            within=within,
            keys=keys,
            folder=folder,
            only=self.only,
            spelled=self.sample.spelled if self.sample else None,
            arrival=arrival,
            known=known,
            readable=readable,
            origin=origin,
        )

    def _arrival(self, objects: Sequence[Object]) -> str:
        """Write when the objects of rows arrived, in UTC."""
        times = [item.arrival.astimezone(self.zone.tz).replace(tzinfo=None) for item in objects if item.arrival]
        pieces = list(self.zone.pieces(min(times), max(times))) if times else []
        return layouts.arrival(self.partitions.arrival() if self.partitions.units else None, pieces, named=self.named)


@dataclass(frozen=True)
class Listing:
    """The objects of a log that arrived within a window of time."""

    log: LogTable
    """The table, with what its objects told of its partitions and their time zone."""
    objects: list[Object]
    unread: tuple[Object, ...] = ()
    """Those in no partition that Athena knows: no query reads them."""
    left_out: tuple[Object, ...] = ()
    """Those that arrived after the instant as of which the log is to be known, or do not tell when."""
    known: tuple[str, ...] = ()
    """What to know about these."""

    def known_at(self, moment: datetime) -> Listing:
        """Return the listing as it was known at an instant."""
        known, unread = known_until(self.objects, moment), (each for each in self.unread if each.arrival)
        return replace(
            self,
            objects=known.objects,
            unread=tuple(each for each in unread if each.arrival and each.arrival <= moment),
            left_out=known.left_out,
            known=known.notes,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what is not read, and in which zone arrivals are told, where that is not UTC."""
        notes = (*self.known, *self.log.zone.note, *(self.log.sample.notes if self.log.sample else ()))
        if self.unread:
            folders = sorted({item.path.rpartition("/")[0] + "/" for item in self.unread})
            named = ", ".join(folders[:3]) + (", …" if len(folders) > 3 else "")
            table = f"{self.log.database}.{self.log.name}"
            remedy = f"run the crawler, MSCK REPAIR TABLE {table}, or ALTER TABLE {table} ADD PARTITION"
            why = f"Glue has no partitions for {'it' if len(folders) == 1 else 'them'}: {remedy}"
            if self.log.projected:
                why = f"the projected partitions of {table} leave them out: see its TBLPROPERTIES, projection.*"
            unread = f"{len(self.unread):,} objects in {len(folders):,} folders are not read, {named}; {why}"
            notes = (unread, *notes)
        return notes


def time_in_name(item: Object) -> datetime | None:
    """Return the time in an object's name, as Firehose gives it."""
    arrival = arrival_of(item.path.rpartition("/")[2])
    return arrival and without_zone(arrival)
