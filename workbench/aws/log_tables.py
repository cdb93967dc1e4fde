"""A table of the Glue catalog that holds a change log: when its objects arrived, and the SQL that reads it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from workbench.aws.crawled_columns import Sample
from workbench.aws.partition_values import Values
from workbench.aws.partitions import BEFORE, Partitions
from workbench.aws.table_definitions import Stored
from workbench.errors import ConfigError
from workbench.log.arrivals import Zone, without_zone
from workbench.log.known import known_until
from workbench.log.objects import Object, arrival_of
from workbench.paths import is_hidden
from workbench.sql import layouts
from workbench.sql.literals import identifier, literal
from workbench.sql.questions import CHANGE

KEPT = {"checkpoint": "_checkpoints", "compacted": "_compacted"}
"""What the names of the tables beside a log's end in, by what is kept of it."""


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
    restored: bool = False
    """Whether Athena reads objects that were restored from an archive; else it skips all that are in one."""

    @property
    def sql_name(self) -> str:
        """The table's name as SQL."""
        return f"{identifier(self.database)}.{identifier(self.name)}"

    def refuse_within(self, place: str, setting: str) -> None:
        """Refuse to keep in the log's own prefix what would be read as objects of the log.

        Raises
        ------
        ConfigError
            Naming the setting, and the prefix.
        """
        top = self.location.rstrip("/") + "/"
        if place.startswith(top) and not any(map(is_hidden, place.removeprefix(top).split("/"))):
            raise ConfigError(
                f"{setting}: {place} is within the log of {self.name}, {top}, whose objects it would be read as: "
                "set a place outside of it"
            )

    def checkpoint(self, id: str) -> str:
        """Write the subquery that reads a checkpoint of the log."""
        columns = ("cast(ts as timestamp(6)) as ts" if each == "ts" else each for each in CHANGE)
        return f"(select {', '.join(columns)} from {self._beside('checkpoint')} where checkpoint = {literal(id)})"

    def compacted(
        self,
        read: layouts.DaysRead,
        *,
        arrivals: Sequence[Object] | None = None,
        written: bool = False,
        origin: Mapping[str, str] | None = None,
    ) -> str:
        """Write the subquery that reads compacted days, with the arrivals of objects; see `sql.layouts.compacted`."""
        pieces = None if arrivals is None else self._pieces(arrivals)
        table = self._beside("compacted")
        return layouts.compacted(table, read, pieces=pieces, written=written, only=self.only, origin=origin)

    def _beside(self, kept: Literal["checkpoint", "compacted"]) -> str:
        return f"{identifier(self.database)}.{identifier(self.name + KEPT[kept])}"

    @property
    def read_as(self) -> dict[str, Any]:
        """How rows and arrivals are read: what is kept of the log was read so, or does not hold any more."""
        spelled = self.sample.spelled if self.sample else {}
        capitals = sorted([*path, name] for path, name in spelled.items() if name != path[-1])
        columns = hashlib.sha256(json.dumps(dict(self.columns), sort_keys=True).encode()).hexdigest()[:16]
        told = {"layout": self.layout, "named": self.named, "units": [*self.partitions.units]}
        return {**told, "columns": columns, "spelled": capitals}

    def is_read_as(self, before: Mapping[str, Any], *, whole: bool) -> bool:
        """Return whether rows are read as they were before; `whole` where all of them could be, by the columns then.

        A crawler's columns become more: that changes nothing of a row that they held. A name that is known to have
        capitals now may have been read without.
        """
        now = self.read_as
        same = all(before.get(name) == now[name] for name in ("layout", "named", "units"))
        return (
            same
            and (whole or before.get("columns") == now["columns"])
            and all(each in before.get("spelled", []) for each in now["spelled"])
        )

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
        delivered: bool = False,
    ) -> str:
        """Write the subquery that reads the table, with the arrivals of objects; see `sql.layouts.deliveries`.

        Parameters
        ----------
        known_at, there
            Of the objects that are there, only what had arrived by then.
        delivered
            The column `arrival` is as compacted days keep it.
        """
        folder = self.location.rstrip("/").rpartition("/")[2]
        arrival = None if arrivals is None else self._arrival(arrivals)
        if delivered:
            arrival = layouts.delivered(self._local_arrival(), self.location)
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

    def of_day(self, day: date) -> str:
        """Write the condition on objects that they arrived on a local day."""
        return layouts.of_day(self._local_arrival(), day)

    def _local_arrival(self) -> str:
        """Write when the objects of rows arrived, as their folders and names tell it."""
        return layouts.arrival(self.partitions.arrival() if self.partitions.units else None, named=self.named)

    def _arrival(self, objects: Sequence[Object]) -> str:
        """Write when the objects of rows arrived, in UTC."""
        pieces = self._pieces(objects)
        return layouts.arrival(self.partitions.arrival() if self.partitions.units else None, pieces, named=self.named)

    def _pieces(self, objects: Sequence[Object]) -> list[tuple[datetime | None, timedelta]]:
        """Return until which local time the zone has which offset, as far as objects tell their arrival."""
        times = [item.arrival.astimezone(self.zone.tz).replace(tzinfo=None) for item in objects if item.arrival]
        return list(self.zone.pieces(min(times), max(times))) if times else []


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
    span: tuple[datetime, datetime] = (datetime.min, datetime.max)
    """From when to when, in local time, the objects' folders tell their arrival."""
    until: datetime | None = None
    """The instant as of which the log is to be known, UTC."""

    def dated(self, item: Object) -> Object | None:
        """Return an object with its arrival, as one that is listed has; None where it would not be listed."""
        span = self.log.arrival_span(item)
        if span is not None and not (span[1] > self.span[0] and span[0] <= self.span[1]):
            return None
        item = replace(item, arrival=self.log.zone.utc(self.log.local_arrival(item)))
        return None if self.until and not (item.arrival and item.arrival <= self.until) else item

    def known_at(self, moment: datetime) -> Listing:
        """Return the listing as it was known at an instant."""
        known, unread = known_until(self.objects, moment), (each for each in self.unread if each.arrival)
        return replace(
            self,
            objects=known.objects,
            unread=tuple(each for each in unread if each.arrival and each.arrival <= moment),
            left_out=known.left_out,
            known=known.notes,
            until=moment,
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
