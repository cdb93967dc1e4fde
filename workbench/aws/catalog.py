"""The change logs in a database of the Glue catalog: found, described, registered.

>>> from workbench.aws import Catalog, open_session
>>> settings = load_settings(engine="athena", database="logs")  # doctest: +SKIP
>>> catalog = Catalog(open_session(settings), settings)  # doctest: +SKIP
>>> [(log.name, log.layout) for log in catalog.tables()]  # doctest: +SKIP
[('persons', 'envelope')]
>>> print(catalog.register("orders", "s3://bucket/data/orders/"))  # doctest: +SKIP
CREATE EXTERNAL TABLE `logs`.`orders` (
...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

import awswrangler as wr

from workbench.aws.errors import error_code, explained
from workbench.aws.kept_tables import KeptTables
from workbench.aws.log_objects import LogObjects
from workbench.aws.log_tables import LogTable
from workbench.aws.partition_values import Values
from workbench.aws.partitions import Partitions, partitions_of
from workbench.aws.registration import options_of
from workbench.aws.session import Session
from workbench.aws.table_definitions import CHECKPOINTS, COMPACTED, ICEBERG, VIEW, ddl, table_input
from workbench.config import Settings
from workbench.errors import ConfigError, ParameterError, QueryError, TableNotFound, WorkbenchError, did_you_mean
from workbench.sql import layouts

if TYPE_CHECKING:
    from types_boto3_glue.type_defs import TableTypeDef


class Catalog(LogObjects):
    """The change logs in a database of the Glue catalog, and their objects.

    Attributes
    ----------
    checkpoints, compacted
        The tables of their checkpoints, and of their compacted days.
    """

    def __init__(self, session: Session, settings: Settings) -> None:
        if not settings.database:
            raise ConfigError("no Glue database: set database=, --database or WORKBENCH_DATABASE")
        super().__init__(session, settings)
        self.database, self._names = settings.database, dict(settings.table_names)
        self.checkpoints = KeptTables(session, settings.database, "checkpoint")
        self.compacted = KeptTables(session, settings.database, "compacted")

    def tables(self) -> list[LogTable]:
        """List the change logs of the database, by the names of the DynamoDB tables where settings map these."""
        with self._explained():
            pages = wr.catalog.get_tables(database=self.database, boto3_session=self.session)
            tables = list(cast("Iterator[TableTypeDef]", pages))
            if not tables:  # nor does a database that is not there have tables
                self.session.client("glue").get_database(Name=self.database)
        logs = {table["Name"]: self._log(table) for table in tables}
        mapped = [
            self._log(table, name) for name, glue in self._names.items() for table in tables if table["Name"] == glue
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
                description = self.session.client("glue").get_table(DatabaseName=self.database, Name=glue)["Table"]
        except ConfigError as error:
            if error_code(error.__cause__) != "EntityNotFoundException":
                raise
            names = [log.only or log.name for log in self.tables()]
            there = f"but: {', '.join(names)}.{did_you_mean(name, names)}" if names else "which holds no change log"
            raise TableNotFound(
                f"there is no table {glue!r} in the Glue database {self.database!r}, {there} "
                "Register a bucket's change log by `workbench table create`"
            ) from error.__cause__
        if _is_iceberg(description):
            raise TableNotFound(
                f"{self.database}.{glue} is an Iceberg table, whose files are rewritten: what arrived when, came twice "
                "or cannot be read is not to be told from it. Ask the change log it was made beside, or of"
            )
        log = self._log(description, name if name in self._names else None)
        if log.layout is None:
            raise TableNotFound(f"{self.database}.{glue} holds no change log: its columns are {', '.join(log.columns)}")
        return log

    def register(self, name: str, location: str, *, first_year: int | None = None) -> str:
        """Register a table over a prefix as its objects are, and return its DDL."""
        place = LogTable("", self.database, location, None, {}, "json", Partitions(), False)
        options = options_of(self.session, location, self.objects(place), first_year)
        definition = table_input(name, location, **options)
        there = ParameterError(
            f"{self.database}.{name} is there already: `workbench table show {name}` prints it; choose another name"
        )
        with self._explained(when={"AlreadyExistsException": there}):
            self.session.client("glue").create_table(DatabaseName=self.database, TableInput=definition)
        return ddl(self.database, definition)

    def ddl(self, name: str) -> str:
        """Return the statement that would make a table."""
        glue = self.table(name).name
        return ddl(self.database, self.session.client("glue").get_table(DatabaseName=self.database, Name=glue)["Table"])

    def _log(self, table: TableTypeDef, only: str | None = None) -> LogTable:
        stored = table.get("StorageDescriptor", {})
        columns = {column["Name"]: column.get("Type", "string") for column in stored.get("Columns", [])}
        keys = [(key["Name"], key.get("Type", "string")) for key in table.get("PartitionKeys", [])]
        parameters = table.get("Parameters", {})
        projected = parameters.get("projection.enabled", "").lower() == "true"
        location, layout = stored.get("Location", ""), layouts.layout_of_columns(columns)
        no_log = {CHECKPOINTS, COMPACTED} & set(parameters) or table.get("TableType") == VIEW or _is_iceberg(table)
        layout = None if no_log else layout
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
            restored=parameters.get("read_restored_glacier_objects", "").lower() == "true",
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


def _is_iceberg(table: TableTypeDef) -> bool:
    name, value = ICEBERG
    return table.get("Parameters", {}).get(name, "").lower() == value
