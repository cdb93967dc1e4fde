"""The checkpoints of a log as partitions of a table beside it, which Athena reads them by."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from workbench.aws.errors import explained
from workbench.aws.log_tables import LogTable
from workbench.aws.session import Session
from workbench.aws.table_definitions import CHECKPOINTS, table_input
from workbench.errors import ParameterError, QueryError


class CheckpointTables:
    """The tables ``LOG_checkpoints`` of a database: each checkpoint of a log is a partition.

    >>> tables = CheckpointTables(session, "logs")  # doctest: +SKIP
    >>> tables.register(log, "20261118T0200", "s3://bucket/checkpoints/persons/20261118T0200/")  # doctest: +SKIP
    """

    def __init__(self, session: Session, database: str) -> None:
        self.session, self.database = session, database

    def register(self, log: LogTable, id: str, location: str) -> None:
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

    def holds(self, log: LogTable, id: str, location: str) -> bool:
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

    def forget(self, log: LogTable, ids: Sequence[str]) -> None:
        """Remove the partitions of checkpoints that are no more."""
        glue, table = self.session.client("glue"), f"{log.name}_checkpoints"
        trouble = f"a partition of {self.database}.{table} cannot be removed"
        for id in ids:
            with (
                explained(trouble, "glue:DeletePartition", raises=QueryError),
                suppress(glue.exceptions.EntityNotFoundException),
            ):
                glue.delete_partition(DatabaseName=self.database, TableName=table, PartitionValues=[id])
