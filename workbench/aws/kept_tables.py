"""What is kept of a log, checkpoints or compacted days, as partitions of a table beside it, which Athena reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal

from workbench.aws.errors import explained
from workbench.aws.log_tables import KEPT, LogTable
from workbench.aws.partition_values import Values
from workbench.aws.session import Session
from workbench.aws.table_definitions import CHECKPOINTS, COMPACTED, table_input
from workbench.errors import ParameterError, QueryError

_WORDS = {
    "checkpoint": ("checkpoint", "checkpoints", CHECKPOINTS, "or set checkpoints=off"),
    "compacted": ("compacted day", "compacted days", COMPACTED, "or set compacted=off"),
}


class KeptTables:
    """The tables ``LOG_checkpoints``, or ``LOG_compacted``, of a database: each checkpoint, or day, is a partition.

    >>> tables = KeptTables(session, "logs", "checkpoint")  # doctest: +SKIP
    >>> tables.register(log, ("20261118T0200",), "s3://bucket/checkpoints/persons/20261118T0200/")  # doctest: +SKIP
    """

    def __init__(self, session: Session, database: str, kind: Literal["checkpoint", "compacted"]) -> None:
        self.session, self.database, self._kind = session, database, kind
        self._called, self._plural, self._mark, self._way_out = _WORDS[kind]

    def register(self, log: LogTable, values: Values, location: str) -> None:
        """Make what lies in a place a partition of the log's table, which is made if need be."""
        glue, name = self.session.client("glue"), f"{log.name}{KEPT[self._kind]}"
        definition = table_input(name, location, layout=self._kind, stored="parquet", partitions=self._kind)
        needed = ("glue:CreateTable", "glue:GetTable", "glue:CreatePartition")
        trouble = f"the {self._called} cannot be registered"
        with explained(trouble, *needed, on=f"{self.database}.{name}", raises=QueryError):
            try:
                glue.create_table(DatabaseName=self.database, TableInput=definition)
            except glue.exceptions.AlreadyExistsException:
                there = glue.get_table(DatabaseName=self.database, Name=name)["Table"]
                if self._mark not in there.get("Parameters", {}):
                    raise ParameterError(
                        f"{self.database}.{name} is there already and holds no {self._plural}: give it "
                        f"another name, or the log {log.name}"
                    ) from None
            glue.create_partition(
                DatabaseName=self.database,
                TableName=name,
                PartitionInput={"Values": [*values], "StorageDescriptor": definition["StorageDescriptor"]},
            )

    def holds(self, log: LogTable, values: Values, location: str) -> bool:
        """Return whether something is a partition of the log's table, where it lies; else Athena finds no rows."""
        glue = self.session.client("glue")
        with explained(
            f"the {self._called} {location} cannot be looked up",
            "glue:GetPartition",
            raises=QueryError,
            note=self._way_out,
        ):
            try:
                there = glue.get_partition(
                    DatabaseName=self.database, TableName=f"{log.name}{KEPT[self._kind]}", PartitionValues=[*values]
                )["Partition"]
            except glue.exceptions.EntityNotFoundException:
                return False
        return bool(there["StorageDescriptor"]["Location"] == location)

    def registered(self, log: LogTable) -> Mapping[Values, str]:
        """Return where the partitions of the log's table lie, by their values; none where there is no table."""
        glue, name = self.session.client("glue"), f"{log.name}{KEPT[self._kind]}"
        pages = glue.get_paginator("get_partitions")
        trouble = f"the {self._plural} of {log.name} cannot be looked up"
        with explained(trouble, "glue:GetPartitions", raises=QueryError, note=self._way_out):
            try:
                return {
                    tuple(each["Values"]): each["StorageDescriptor"]["Location"]
                    for page in pages.paginate(DatabaseName=self.database, TableName=name, ExcludeColumnSchema=True)
                    for each in page["Partitions"]
                }
            except glue.exceptions.EntityNotFoundException:
                return {}

    def forget(self, log: LogTable, partitions: Sequence[Values]) -> None:
        """Remove the partitions of what is no more."""
        glue, table = self.session.client("glue"), f"{log.name}{KEPT[self._kind]}"
        trouble = f"a partition of {self.database}.{table} cannot be removed"
        for values in partitions:
            with (
                explained(trouble, "glue:DeletePartition", raises=QueryError),
                suppress(glue.exceptions.EntityNotFoundException),
            ):
                glue.delete_partition(DatabaseName=self.database, TableName=table, PartitionValues=[*values])
