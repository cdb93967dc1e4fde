"""The engines a question can run on; each takes the same SQL files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import pandas as pd
import pyarrow as pa

from workbench.aws.costs import Query
from workbench.log.objects import Unreadable
from workbench.model.times import START_OF_TIME
from workbench.text import count, size

if TYPE_CHECKING:
    from workbench.log.checkpoints import Checkpoint
    from workbench.log.contents import Schema
    from workbench.log.exports import Baseline, Export

Over = Literal["log", "state", "baseline"]
"""What a question is asked of: the change log, the log that follows from a baseline, or the baseline alone."""


TABLES = {
    "table": "str",
    "layout": "str",
    "objects": "int64",
    "bytes": "int64",
    "first_arrival": "datetime64[us, UTC]",
    "last_arrival": "datetime64[us, UTC]",
    "aws_region": "string",
    "account_id": "string",
}
"""The columns of a list of tables, and their types."""
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Estimate:
    """What a question will scan at most: the size of the objects it reads."""

    bytes: int
    objects: int
    cost: float
    """Dollars."""

    def __str__(self) -> str:
        """Write it in a line."""
        price = f", ${self.cost:,.4f}" if self.cost else ""
        return f"at most {size(self.bytes)} in {count(self.objects, 'object')}{price}"


@dataclass(frozen=True)
class Answer:
    """What an engine brings back: rows, the SQL in Athena's dialect, and what was read for it."""

    rows: pa.Table
    sql: str
    seconds: float
    objects: int
    bytes: int
    unreadable: tuple[Unreadable, ...]
    first_arrival: datetime | None = None
    last_arrival: datetime | None = None
    queries: tuple[Query, ...] = ()
    notes: tuple[str, ...] = ()
    newest_change: datetime | None = None
    """When the last change of the log was made, in UTC; None where a question did not look at all that is new."""
    failures: int = 0
    """Changes that were read out of Firehose's failure objects, which did not reach the log."""
    unread: tuple[str, ...] = ()
    """Objects of the log, by their paths, in partitions that Glue does not know: no query reads them."""
    lost: tuple[str, ...] = ()
    """Attributes, or types of them, of the newest records that the table's columns do not hold."""


def resumed_at(over: Over, after: datetime | None, values: Mapping[str, object]) -> datetime | None:
    """Return the instant whose state a question may take from a checkpoint; None where it needs all changes."""
    at = values.get("as_of")
    if after:
        return max(after, START_OF_TIME + _INSTANT) - _INSTANT
    return at if over == "state" and isinstance(at, datetime) else None


class Engine(Protocol):
    """Runs questions over the change log of a table."""

    @property
    def finished(self) -> Sequence[Query]:
        """Every paid query that has run."""

    def tables(self) -> pd.DataFrame:
        """List the tables there are."""

    def keys(self, table: str, *, whole: bool = False) -> list[Schema]:
        """Name the keys a table has had, the newest first: one but where it was made again with another.

        Where looking costs, they are those seen so far, or in the newest changes; with `whole` all.
        """

    def ask(
        self,
        question: str,
        table: str,
        *,
        matching: str = "true",
        over: Over = "log",
        after: datetime | None = None,
        **values: object,
    ) -> Answer:
        """Run a question's SQL file over a table's deliveries that are `matching` a condition.

        Of the changes before `after`, only what they led to is of use: they may be read from a checkpoint.
        """

    def batches(self, question: str, table: str, *, matching: str = "true", **values: object) -> Iterator[Answer]:
        """Run a question and yield its rows in parts."""

    def sql(self, question: str, table: str, *, matching: str = "true", **values: object) -> str:
        """Return the text `ask` would run, in Athena's dialect."""

    def estimate(self, question: str, table: str, **values: object) -> Estimate:
        """Tell what `ask` would read at most."""

    def place(self, table: str) -> Mapping[str, str]:
        """Tell a table's aws_region and account_id, where they are chosen or, as far as was looked, known."""

    def baseline(self, table: str, at: datetime | None = None) -> Baseline | None:
        """Return the newest state an export knows of a table at an instant, where a baseline is set."""

    def exports(self, source: str | Path) -> list[Export]:
        """Find the exports under a folder or, where the engine reads it, an ``s3://`` prefix."""

    def checkpoint(self, table: str, keep: int) -> Checkpoint:
        """Keep what a log has come to, for later questions over the state, and so many checkpoints of it."""

    def close(self) -> None:
        """Free what the engine holds; the next question opens it again."""

    def reread(self, table: str, error: Exception) -> None:
        """Leave out from now on what a fast reader let pass, or raise the error that made it seen."""
