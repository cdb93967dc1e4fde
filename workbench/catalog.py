"""The change logs in a database of the Glue catalog: their layout, their partitions, and registering one."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NoReturn

import awswrangler as wr
from botocore.exceptions import BotoCoreError, ClientError

from workbench import layouts, render
from workbench.aws import Session, said
from workbench.config import Settings
from workbench.errors import ConfigError, ParameterError, QueryError, TableNotFound, did_you_mean
from workbench.objects import Object, arrival_of, list_objects
from workbench.partitions import Partitions, partitions_of
from workbench.reader import layout_of
from workbench.registration import CHECKPOINTS, Stored, ddl, table_input

_DATED = re.compile(r"(?P<name>\w+=)?\d{4}(?P<by>[-/]?)\d\d(?P=by)\d\d(?:(?P<last>[-/]?)\d\d)?/")


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

    @property
    def sql_name(self) -> str:
        """The table's name as SQL."""
        return f"{render.identifier(self.database)}.{render.identifier(self.name)}"

    def checkpoint(self, id: str) -> str:
        """Write the subquery that reads a checkpoint of the log."""
        name = f"{render.identifier(self.database)}.{render.identifier(f'{self.name}_checkpoints')}"
        columns = ("cast(ts as timestamp(6)) as ts" if each == "ts" else each for each in render.CHANGE)
        return f"(select {', '.join(columns)} from {name} where checkpoint = {render.literal(id)})"

    def deliveries(self, *, within: str = "true", keys: Sequence[str] = (), **options: Any) -> str:
        """Write the subquery that reads the table; see `workbench.layouts.deliveries`."""
        folder = self.location.rstrip("/").rpartition("/")[2]
        return layouts.deliveries(self.sql_name, self.columns, within=within, keys=keys, folder=folder, only=self.only,
                                  columnar=self.stored == "parquet", **options)  # fmt: skip


class Catalog:
    """The change logs in a database of the Glue catalog."""

    def __init__(self, session: Session, settings: Settings) -> None:
        if not settings.database:
            raise ConfigError("no Glue database: set database=, --database or WORKBENCH_DATABASE")
        self.session, self.database = session, settings.database
        self._names = dict(settings.table_names)

    def tables(self) -> list[LogTable]:
        """List the change logs of the database, by the names of the DynamoDB tables where settings map these."""
        try:
            found = list(wr.catalog.get_tables(database=self.database, boto3_session=self.session))
            if not found:  # nor does a database that is not there have tables
                self.session.client("glue").get_database(Name=self.database)
        except (ClientError, BotoCoreError) as error:
            self._refused(error)
        logs = {table["Name"]: self._log(table) for table in found}
        mapped = [self._log(table, name) for name, glue in self._names.items() for table in found
                  if table["Name"] == glue]  # fmt: skip
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
            found = self.session.client("glue").get_table(DatabaseName=self.database, Name=glue)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityNotFoundException":
                self._refused(error)
            names = [log.only or log.name for log in self.tables()]
            there = f"but: {', '.join(names)}.{did_you_mean(name, names)}" if names else "which holds no change log"
            raise TableNotFound(f"there is no table {glue!r} in the Glue database {self.database!r}, {there} "
                                "Register a bucket's change log by `workbench table create`") from error  # fmt: skip
        except BotoCoreError as error:
            self._refused(error)
        log = self._log(found, name if name in self._names else None)
        if log.layout is None:
            raise TableNotFound(f"{self.database}.{glue} holds no change log: its columns are {', '.join(log.columns)}")
        return log

    def objects(self, log: LogTable, start: datetime | None = None, end: datetime | None = None) -> list[Object]:
        """List the objects of a table that arrived from the partition of `start` to that of `end`."""
        bucket, _, prefix = log.location.removeprefix("s3://").partition("/")
        prefix = prefix.rstrip("/") + "/" if prefix else ""
        first, last = (moment and log.partitions.folder(moment) for moment in (start, end))
        options = {"StartAfter": prefix + first} if first else {}
        pages = self.session.client("s3").get_paginator("list_objects_v2")
        found: list[Object] = []
        try:
            for page in pages.paginate(Bucket=bucket, Prefix=prefix, **options):
                for item in page.get("Contents", []):
                    below = item["Key"][len(prefix) :]
                    if last and below > last + "\U0010ffff":
                        return found
                    if item["Size"] and not any(part[:1] in "._" for part in below.split("/")):
                        found.append(_object(bucket, item))
        except (ClientError, BotoCoreError) as error:
            raise QueryError(f"the objects of {log.location} cannot be listed: {said(error)}; the permission "
                             f"is s3:ListBucket on {bucket}") from error  # fmt: skip
        return found

    def register(self, name: str, location: str, *, first_year: int | None = None) -> str:
        """Register a table over a prefix as its objects are, and return its DDL."""
        made = table_input(name, location, **self._seen(location, first_year))
        try:
            self.session.client("glue").create_table(DatabaseName=self.database, TableInput=made)
        except ClientError as error:
            if error.response["Error"]["Code"] == "AlreadyExistsException":
                raise ParameterError(f"{self.database}.{name} is there already: `workbench table show {name}` prints "
                                     "it; choose another name") from error  # fmt: skip
            self._refused(error)
        return ddl(self.database, made)

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
            wr.s3.download(newest.path, str(path), boto3_session=self.session)
            layout, joined, _ = layout_of(list_objects(path)[0])
        if layout not in ("envelope", "raw"):
            raise ParameterError(f"{newest.path} is of the layout {layout!r}: a crawler makes a table for it")
        if joined:
            raise ParameterError(f"{newest.path} has records without a line end between them, of which Athena would "
                                 "read the first only: let Firehose add one (AppendDelimiterToRecord)")  # fmt: skip
        found: dict[str, Any] = {"layout": layout, "stored": "parquet" if newest.format == "parquet" else "json"}
        years = [moment.year for moment, _ in by_folder(objects) if moment]
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
        made = table_input(name, location, layout="checkpoint", stored="parquet", partitions="checkpoint")
        try:
            try:
                glue.create_table(DatabaseName=self.database, TableInput=made)
            except glue.exceptions.AlreadyExistsException:
                there = glue.get_table(DatabaseName=self.database, Name=name)["Table"]
                if CHECKPOINTS not in there.get("Parameters", {}):
                    raise ParameterError(f"{self.database}.{name} is there already and holds no checkpoints: give it "
                                         f"another name, or the log {log.name}") from None  # fmt: skip
            glue.create_partition(DatabaseName=self.database, TableName=name, PartitionInput={
                "Values": [id], "StorageDescriptor": made["StorageDescriptor"]})  # fmt: skip
        except (ClientError, BotoCoreError) as error:
            raise QueryError(f"the checkpoint cannot be registered: {said(error)}; the permissions are "
                             "glue:CreateTable, glue:GetTable and glue:CreatePartition, on "
                             f"{self.database}.{name}") from error  # fmt: skip

    def has_checkpoint(self, log: LogTable, id: str, location: str) -> bool:
        """Tell whether a checkpoint is a partition of the log's table of checkpoints; else Athena finds no rows."""
        glue = self.session.client("glue")
        try:
            there = glue.get_partition(DatabaseName=self.database, TableName=f"{log.name}_checkpoints",
                                       PartitionValues=[id])["Partition"]  # fmt: skip
        except glue.exceptions.EntityNotFoundException:
            return False
        except (ClientError, BotoCoreError) as error:
            raise QueryError(f"the checkpoint {location} cannot be looked up: {said(error)}; the permission is "
                             "glue:GetPartition, or set checkpoints=off") from error  # fmt: skip
        return bool(there["StorageDescriptor"]["Location"] == location)

    def forget_checkpoints(self, log: LogTable, ids: Sequence[str]) -> None:
        """Remove the partitions of checkpoints that are no more."""
        glue = self.session.client("glue")
        for each in ids:
            try:
                glue.delete_partition(DatabaseName=self.database, TableName=f"{log.name}_checkpoints",
                                      PartitionValues=[each])  # fmt: skip
            except glue.exceptions.EntityNotFoundException:
                continue
            except (ClientError, BotoCoreError) as error:
                raise QueryError(f"a partition of {self.database}.{log.name}_checkpoints cannot be removed: "
                                 f"{said(error)}; the permission is glue:DeletePartition") from error  # fmt: skip

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
        partitions = partitions_of(keys, parameters if projected else {}, location=location)
        if layout and keys and partitions.by == "none" and not projected:
            partitions = partitions_of(keys, {}, self._sample(table["Name"]), location)
        serde = stored.get("SerdeInfo", {}).get("SerializationLibrary", "")
        return LogTable(table["Name"], self.database, location, layout, columns,
                        "parquet" if "parquet" in serde.lower() else "json", partitions, projected, only)  # fmt: skip

    def _sample(self, name: str) -> list[str]:
        found = self.session.client("glue").get_partitions(DatabaseName=self.database, TableName=name, MaxResults=1)
        return next((list(partition["Values"]) for partition in found["Partitions"]), [])

    def _refused(self, error: Exception) -> NoReturn:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
        hint = ("see the databases by `aws glue get-databases`" if code == "EntityNotFoundException" else
                "`workbench check` tells which permission or credential is missing")  # fmt: skip
        raise ConfigError(f"the Glue database {self.database!r} cannot be read: {said(error)}; {hint}") from error


def _object(bucket: str, item: Mapping[str, Any]) -> Object:
    key = item["Key"]
    kind: Literal["json", "gzip", "parquet"] = (
        "parquet" if key.endswith(".parquet") else "gzip" if key.endswith(".gz") else "json"
    )
    return Object(f"s3://{bucket}/{key}", item["Size"], int(item["LastModified"].timestamp() * 1e9), kind,
                  arrival_of(key))  # fmt: skip


def by_folder(objects: Sequence[Object]) -> Iterator[tuple[datetime | None, Object]]:
    """Pair objects with the time their folders tell, which their partition has."""
    return ((arrival_of(item.path.rpartition("/")[0] + "/"), item) for item in objects)
