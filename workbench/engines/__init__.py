"""The engines a question can run on; each takes the same SQL files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

import pandas as pd
import pyarrow as pa

from workbench.objects import Unreadable

if TYPE_CHECKING:
    from workbench.baseline import Baseline

Over = Literal["log", "state", "baseline"]
"""What a question is asked of: the change log, the log that follows from a baseline, or the baseline alone."""


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


class Engine(Protocol):
    """Runs questions over the change log of a table."""

    def tables(self) -> pd.DataFrame:
        """List the tables there are."""

    def key_types(self, table: str) -> Mapping[str, str]:
        """Name the key attributes of a table and their types S, N or B."""

    def ask(self, question: str, table: str, *, matching: str = "true", over: Over = "log", **values: object,
            ) -> Answer:  # fmt: skip
        """Run a question's SQL file over a table's deliveries that are `matching` a condition."""

    def batches(self, question: str, table: str, *, matching: str = "true", **values: object) -> Iterator[Answer]:
        """Run a question and yield its rows in parts."""

    def sql(self, question: str, table: str, *, matching: str = "true", **values: object) -> str:
        """Return the text `ask` would run, in Athena's dialect."""

    def baseline(self, table: str, at: datetime | None = None) -> Baseline | None:
        """Return the newest state an export knows of a table at an instant, where a baseline is set."""

    def close(self) -> None:
        """Free what the engine holds; the next question opens it again."""

    def reread(self, table: str) -> None:
        """Read the table's log again line by line, because a fast reader let something wrong pass."""
