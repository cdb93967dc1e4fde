"""The change logs in a database of the Glue catalog: their layout, their partitions, and registering one."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import awswrangler as wr
from botocore.exceptions import BotoCoreError, ClientError

from workbench.aws.crawled_columns import Sample
from workbench.aws.errors import error_code, explained
from workbench.aws.files import S3Files
from workbench.aws.partitions import BEFORE, Partitions, Values, partitions_of
from workbench.aws.session import Session
from workbench.aws.table_definitions import CHECKPOINTS, Stored, ddl, table_input
from workbench.config import Settings
from workbench.errors import ConfigError, ParameterError, QueryError, TableNotFound, WorkbenchError, did_you_mean
from workbench.log.arrivals import (
    OFFSETS,
    ChangeTimes,
    Witness,
    Zone,
    infer_zone,
    named_zone,
    sample_times,
    times_of,
    without_zone,
)
from workbench.log.contents import Part, merged
from workbench.log.listing import list_objects
from workbench.log.objects import Object, Unreadable, arrival_of, stored_object
from workbench.log.reader import layout_of, read_changes
from workbench.paths import is_hidden, split_s3_uri
from workbench.sql import layouts
from workbench.sql.literals import identifier, literal
from workbench.sql.questions import CHANGE

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import ListObjectsV2RequestPaginateTypeDef

_DATED = re.compile(r"(?P<name>\w+=)?\d{4}(?P<by>[-/]?)\d\d(?P=by)\d\d(?:(?P<last>[-/]?)\d\d)?/")


_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_PAGE = 1000  # objects that S3 lists at a time
_NEWEST = 3  # objects that tell whether a crawler's columns hold what there is
_HEAD = 1 << 20  # bytes of the objects that are looked into


@dataclass(frozen=True)
class LogTable:
    """A table of the catalog that holds a change log."""

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

    def told(self, item: Object) -> tuple[datetime, datetime] | None:
        """Return from when to when an object arrived by its partition or, where it is in none, by its folders."""
        if self.values(item) is not None:
            return self.interval(item)
        found = arrival_of(item.path.rpartition("/")[0] + "/")
        return (without_zone(found), without_zone(found) + timedelta(days=1)) if found else None

    def agrees(self, item: Object) -> bool:
        """Tell whether an object's name does not contradict its folder."""
        span, name = self.interval(item), _by_name(item)
        return not span or not name or span[0] <= name < span[1]

    def witness(self, item: Object) -> tuple[datetime, timedelta] | None:
        """Return what an object's name, else its partition, tells of its arrival, and how exactly."""
        if self.named and (name := _by_name(item)):
            return name, timedelta(seconds=1)
        span = self.interval(item)
        return span and (span[0], span[1] - span[0])

    def local_arrival(self, item: Object) -> datetime | None:
        """Return when an object arrived, in the zone of its folders."""
        if told := self.witness(item):
            return told[0]
        found = None if self.partitions.units else arrival_of(item.path)
        return found and without_zone(found)

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
        **options: Any,
    ) -> str:
        """Write the subquery that reads the table, with the arrivals of objects; see `sql.layouts.deliveries`."""
        folder = self.location.rstrip("/").rpartition("/")[2]
        arrival = None
        if arrivals is not None:
            times = [item.arrival.astimezone(self.zone.tz).replace(tzinfo=None) for item in arrivals if item.arrival]
            pieces = list(self.zone.pieces(min(times), max(times))) if times else []
            arrival = layouts.arrival(
                self.partitions.arrival() if self.partitions.units else None, pieces, named=self.named
            )
        return layouts.deliveries(
            self.sql_name,
            self.columns,
            within=within,
            keys=keys,
            folder=folder,
            only=self.only,
            spelled=self.sample.spelled if self.sample else None,
            arrival=arrival,
            **options,
        )


@dataclass(frozen=True)
class Listing:
    """The objects of a window of arrivals."""

    log: LogTable
    """The table, with what its objects told of its partitions and their time zone."""
    objects: list[Object]
    unread: tuple[Object, ...] = ()
    """Those in no partition that Athena knows: no query reads them."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what is not read, and in which zone arrivals are told, where that is not UTC."""
        notes = (*self.log.zone.note, *(self.log.sample.notes if self.log.sample else ()))
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


class Catalog:
    """The change logs in a database of the Glue catalog."""

    def __init__(self, session: Session, settings: Settings) -> None:
        if not settings.database:
            raise ConfigError("no Glue database: set database=, --database or WORKBENCH_DATABASE")
        self.session, self.database = session, settings.database
        self._names, self._keys = dict(settings.table_names), settings.keys
        self._zone = named_zone(settings.arrival_zone) if settings.arrival_zone else None
        self._some: dict[str, list[Object]] = {}
        self._looked: dict[str, dict[str, ChangeTimes | None]] = {}
        self._parts: dict[str, tuple[Part, ...]] = {}
        self._samples: dict[str, Sample] = {}

    def tables(self) -> list[LogTable]:
        """List the change logs of the database, by the names of the DynamoDB tables where settings map these."""
        with self._explained():
            found = list(wr.catalog.get_tables(database=self.database, boto3_session=self.session))
            if not found:  # nor does a database that is not there have tables
                self.session.client("glue").get_database(Name=self.database)
        logs = {table["Name"]: self._log(table) for table in found}
        mapped = [
            self._log(table, name) for name, glue in self._names.items() for table in found if table["Name"] == glue
        ]
        rest = [log for name, log in logs.items() if name not in self._names.values()]
        return sorted((log for log in mapped + rest if log.layout), key=lambda log: log.only or log.name)

    def table(self, name: str) -> LogTable:
        """Find a change log.

        Raises
        ------
        TableNotFound
            Naming those there are.
        """
        glue = self._names.get(name, name.lower())
        try:
            with self._explained():
                found = self.session.client("glue").get_table(DatabaseName=self.database, Name=glue)["Table"]
        except ConfigError as error:
            if error_code(error.__cause__) != "EntityNotFoundException":
                raise
            names = [log.only or log.name for log in self.tables()]
            there = f"but: {', '.join(names)}.{did_you_mean(name, names)}" if names else "which holds no change log"
            raise TableNotFound(
                f"there is no table {glue!r} in the Glue database {self.database!r}, {there} "
                "Register a bucket's change log by `workbench table create`"
            ) from error.__cause__
        log = self._log(found, name if name in self._names else None)
        if log.layout is None:
            raise TableNotFound(f"{self.database}.{glue} holds no change log: its columns are {', '.join(log.columns)}")
        return log

    def objects(self, log: LogTable, start: datetime | None = None, end: datetime | None = None) -> list[Object]:
        """List the objects of a table that arrived from the partition of `start` to that of `end`."""
        return self.listing(log, start, end).objects

    def listing(self, log: LogTable, start: datetime | None = None, end: datetime | None = None) -> Listing:
        """List the objects of a table that arrived between two times, and those that no partition has."""
        zone = self._zone or Zone(early=timedelta(days=1))
        found = self._listed(log, *log.partitions.between(log.location, *zone.local(start, end)))
        some = list({item.path: item for item in (*self._first(log), *found)}.values())
        seen = sample_times(some, self._looked.setdefault(log.location, {}), self._look)
        settled = self._settled(log, seen, found)
        if log.partitions.sort and not settled.partitions.units:
            found = self._listed(log)
        low, high = settled.zone.local(start, end)
        objects: list[Object] = []
        unread: list[Object] = []
        for item in found:
            values, told = settled.values(item), settled.told(item)
            if told is None or (told[1] > low and told[0] <= high):
                dated = replace(item, arrival=settled.zone.utc(settled.local_arrival(item)))
                (unread if values is None else objects).append(dated)
        return Listing(self._sampled(settled, objects), objects, tuple(unread))

    def _sampled(self, log: LogTable, objects: Sequence[Object]) -> LogTable:
        """Compare the newest objects with the columns, each object once."""
        sample = self._samples.setdefault(log.name, Sample(log.columns, log.layout))
        if sample.columns != log.columns:  # a crawler has run
            sample = self._samples[log.name] = Sample(log.columns, log.layout)
        if not sample.is_needed:
            return log
        newest = sorted(objects, key=lambda item: (item.arrival or _LONG_AGO, item.modified, item.path))[-_NEWEST:]
        for item in reversed(newest):
            if item.path not in sample.looked:
                sample.look(item.path, item.arrival, self._head(item))
        return replace(log, sample=sample)

    def parts(self, log: LogTable, item: Object) -> list[Part]:
        """Tell what the beginning of an object holds of a log; nothing where it was not looked into."""
        return [part for part in self._parts.get(item.path, ()) if log.only in (None, part.table)]

    def looked_through(self, item: Object) -> bool:
        """Tell whether all of an object was looked into."""
        return item.path in self._parts and item.size <= _HEAD

    def _settled(self, log: LogTable, seen: Sequence[tuple[Object, ChangeTimes]], listed: Sequence[Object]) -> LogTable:
        """Tell, by objects, what the partitions mean, and in which zone they are."""
        read = [(values, times) for item, times in seen if (values := log.values(item)) is not None]
        log = replace(log, partitions=log.partitions.settled(read))
        log = replace(log, named=all(map(log.agrees, listed)))
        if self._zone:
            return replace(log, zone=self._zone)
        witnesses = [Witness(*told, times) for item, times in seen if (told := log.witness(item))]
        stored = [
            told[0] - datetime.fromtimestamp(item.modified / 1e9, UTC).replace(tzinfo=None)
            for item in listed
            if (told := log.witness(item))
        ]
        return replace(log, zone=infer_zone(witnesses, max(stored, default=OFFSETS[0])))

    def _listed(self, log: LogTable, after: str = "", until: str = "", most: int | None = None) -> list[Object]:
        """List the objects below a table's location, and those of partitions that lie elsewhere."""
        top = log.location.rstrip("/") + "/"
        places = [place for place in log.partitions.registered if not place.startswith(top)]
        within = {log.location: (after, until)}
        each = (item for place in (log.location, *places) for item in self._below(place, *within.get(place, ())))
        return list(islice(each, most))

    def _first(self, log: LogTable) -> list[Object]:
        """List some objects of a log once more, that it be known what its folders mean, whatever a window leaves."""
        if log.location not in self._some:
            self._some[log.location] = self._listed(log, most=_PAGE) if log.partitions.sort else []
        return self._some[log.location]

    def _below(self, location: str, after: str = "", until: str = "") -> Iterator[Object]:
        bucket, prefix = split_s3_uri(location, QueryError)
        prefix = prefix.rstrip("/") + "/" if prefix else ""
        options: ListObjectsV2RequestPaginateTypeDef = {"Bucket": bucket, "Prefix": prefix}
        if after:
            options["StartAfter"] = after.removeprefix(f"s3://{bucket}/")
        pages = self.session.client("s3").get_paginator("list_objects_v2")
        with explained(f"the objects of {location} cannot be listed", "s3:ListBucket", on=bucket, raises=QueryError):
            for page in pages.paginate(**options):
                for item in page.get("Contents", []):
                    if until and f"s3://{bucket}/{item['Key']}" > until:
                        return
                    if item["Size"] and not any(
                        not part or is_hidden(part) for part in item["Key"][len(prefix) :].split("/")
                    ):
                        yield _object(bucket, item)

    def _look(self, item: Object) -> ChangeTimes | None:
        """Return the times of the changes at the beginning of an object; None where none can be read."""
        return times_of(self._head(item))

    def _head(self, item: Object) -> list[dict[str, Any]]:
        """Return the changes at the beginning of an object."""
        if item.format == "parquet" and item.size > _HEAD:
            return []
        bucket, key = split_s3_uri(item.path)
        try:
            response = self.session.client("s3").get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{_HEAD - 1}")
            head = response["Body"].read()
        except (ClientError, BotoCoreError):
            return []
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, key.rpartition("/")[2])
            path.write_bytes(head)
            found = [each for each in read_changes(stored_object(path), self._keys) if not isinstance(each, Unreadable)]
        self._parts[item.path] = merged(map(_part, found))
        return found

    def register(self, name: str, location: str, *, first_year: int | None = None) -> str:
        """Register a table over a prefix as its objects are, and return its DDL."""
        definition = table_input(name, location, **self._seen(location, first_year))
        there = ParameterError(
            f"{self.database}.{name} is there already: `workbench table show {name}` prints it; choose another name"
        )
        with self._explained(when={"AlreadyExistsException": there}):
            self.session.client("glue").create_table(DatabaseName=self.database, TableInput=definition)
        return ddl(self.database, definition)

    def _seen(self, location: str, first_year: int | None) -> dict[str, Any]:
        """Look at the objects under a prefix: their layout, their form, and how their folders tell the time."""
        place = LogTable("", self.database, location, None, {}, "json", Partitions(), False)
        objects = self.objects(place)
        if not objects:
            raise ParameterError(
                f"{location} holds no objects: give the prefix of a change log, s3://bucket/data/table/"
            )
        newest = max(objects, key=lambda item: item.modified)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, newest.path.rpartition("/")[2])
            S3Files(self.session, ParameterError).download(newest.path, path)
            layout, joined, _ = layout_of(list_objects(path)[0])
        if layout not in ("envelope", "raw"):
            raise ParameterError(f"{newest.path} is of the layout {layout!r}: a crawler makes a table for it")
        if joined:
            raise ParameterError(
                f"{newest.path} has records without a line end between them, of which Athena would "
                "read the first only: let Firehose add one (AppendDelimiterToRecord)"
            )
        found: dict[str, Any] = {"layout": layout, "stored": "parquet" if newest.format == "parquet" else "json"}
        years = [item.arrival.year for item in objects if item.arrival]
        found["first_year"] = first_year or min(years, default=datetime.now(UTC).year)
        below = newest.path.removeprefix(location.rstrip("/") + "/")
        if re.match(r"year=\d{4}/month=\d\d/day=\d\d/hour=\d\d/", below):
            return found
        if dated := _DATED.match(below):
            form = "yyyy{0}MM{0}dd".format(dated["by"]) + (f"{dated['last']}HH" if dated["last"] else "")
            return found | {"partitions": "text", "form": form, "template": f"{dated['name'] or ''}${{arrival}}/"}
        return found | {"partitions": "none"}

    def register_checkpoint(self, log: LogTable, id: str, location: str) -> None:
        """Make a checkpoint's changes a partition of the log's table of checkpoints, which is made if need be."""
        glue, name = self.session.client("glue"), f"{log.name}_checkpoints"
        definition = table_input(name, location, layout="checkpoint", stored="parquet", partitions="checkpoint")
        needed = ("glue:CreateTable", "glue:GetTable", "glue:CreatePartition")
        trouble = "the checkpoint cannot be registered"
        with explained(trouble, *needed, on=f"{self.database}.{name}", raises=QueryError):
            try:
                glue.create_table(DatabaseName=self.database, TableInput=definition)
            except glue.exceptions.AlreadyExistsException:
                there = glue.get_table(DatabaseName=self.database, Name=name)["Table"]
                if CHECKPOINTS not in there.get("Parameters", {}):
                    raise ParameterError(
                        f"{self.database}.{name} is there already and holds no checkpoints: give it "
                        f"another name, or the log {log.name}"
                    ) from None
            glue.create_partition(
                DatabaseName=self.database,
                TableName=name,
                PartitionInput={"Values": [id], "StorageDescriptor": definition["StorageDescriptor"]},
            )

    def has_checkpoint(self, log: LogTable, id: str, location: str) -> bool:
        """Return whether a checkpoint is a partition of the log's table of checkpoints; else Athena finds no rows."""
        glue, way_out = self.session.client("glue"), "or set checkpoints=off"
        with explained(
            f"the checkpoint {location} cannot be looked up", "glue:GetPartition", raises=QueryError, note=way_out
        ):
            try:
                there = glue.get_partition(
                    DatabaseName=self.database, TableName=f"{log.name}_checkpoints", PartitionValues=[id]
                )["Partition"]
            except glue.exceptions.EntityNotFoundException:
                return False
        return bool(there["StorageDescriptor"]["Location"] == location)

    def forget_checkpoints(self, log: LogTable, ids: Sequence[str]) -> None:
        """Remove the partitions of checkpoints that are no more."""
        glue, table = self.session.client("glue"), f"{log.name}_checkpoints"
        trouble = f"a partition of {self.database}.{table} cannot be removed"
        for id in ids:
            with (
                explained(trouble, "glue:DeletePartition", raises=QueryError),
                suppress(glue.exceptions.EntityNotFoundException),
            ):
                glue.delete_partition(DatabaseName=self.database, TableName=table, PartitionValues=[id])

    def ddl(self, name: str) -> str:
        """Return the statement that would make a table."""
        glue = self.table(name).name
        return ddl(self.database, self.session.client("glue").get_table(DatabaseName=self.database, Name=glue)["Table"])

    def _log(self, table: Mapping[str, Any], only: str | None = None) -> LogTable:
        stored = table.get("StorageDescriptor", {})
        columns = {column["Name"]: column.get("Type", "string") for column in stored.get("Columns", [])}
        keys = [(key["Name"], key.get("Type", "string")) for key in table.get("PartitionKeys", [])]
        parameters = table.get("Parameters", {})
        projected = parameters.get("projection.enabled", "").lower() == "true"
        location, layout = stored.get("Location", ""), layouts.layout_of_columns(columns)
        layout = None if CHECKPOINTS in parameters else layout
        template = parameters.get("storage.location.template", "") if projected else ""
        if template and not template.startswith(location):
            location = template.partition("${")[0].rpartition("/")[0] + "/"
        registered = self._registered(table["Name"]) if layout and keys and not projected else {}
        partitions = partitions_of(keys, parameters if projected else {}, registered, location)
        serde = stored.get("SerdeInfo", {}).get("SerializationLibrary", "")
        return LogTable(
            table["Name"],
            self.database,
            location,
            layout,
            columns,
            "parquet" if "parquet" in serde.lower() else "json",
            partitions,
            projected,
            only,
        )

    def _registered(self, name: str) -> dict[str, Values]:
        """Return the values of a table's registered partitions, by where they lie."""
        pages = self.session.client("glue").get_paginator("get_partitions")
        trouble = f"the partitions of {self.database}.{name} cannot be looked up"
        with explained(trouble, "glue:GetPartitions", raises=QueryError):
            return {
                each["StorageDescriptor"]["Location"].rstrip("/") + "/": tuple(each["Values"])
                for page in pages.paginate(DatabaseName=self.database, TableName=name, ExcludeColumnSchema=True)
                for each in page["Partitions"]
            }

    def _explained(self, when: Mapping[str, str | WorkbenchError] | None = None) -> AbstractContextManager[None]:
        return explained(
            f"the Glue database {self.database!r} cannot be read",
            raises=ConfigError,
            advice="`workbench check` tells which permission or credential is missing",
            when={"EntityNotFoundException": "see the databases by `aws glue get-databases`", **(when or {})},
        )


def _object(bucket: str, item: Mapping[str, Any]) -> Object:
    key = item["Key"]
    kind: Literal["json", "gzip", "parquet"] = (
        "parquet" if key.endswith(".parquet") else "gzip" if key.endswith(".gz") else "json"
    )
    return Object(
        f"s3://{bucket}/{key}", item["Size"], int(item["LastModified"].timestamp() * 1e9), kind, arrival_of(key)
    )


def _part(change: Mapping[str, Any]) -> Part:
    ts = datetime.fromisoformat(change["ts"])
    types = {name: kind for name, value in json.loads(change["keys"]).items() for kind in value}
    keys = json.dumps(types, ensure_ascii=False, separators=(",", ":"))
    return Part(change["table_name"], change["aws_region"], change["account_id"], keys, 1, ts, ts)


def _by_name(item: Object) -> datetime | None:
    """Return the time in an object's name, as Firehose gives it."""
    found = arrival_of(item.path.rpartition("/")[2])
    return found and without_zone(found)
