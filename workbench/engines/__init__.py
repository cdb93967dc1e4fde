"""The engines a question can run on; each takes the same SQL files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd
import pyarrow as pa

from workbench.objects import Unreadable


@dataclass(frozen=True)
class Answer:
    """What an engine brings back: rows, the SQL in Athena's dialect, and what was read for it."""

    rows: pa.Table
    sql: str
    seconds: float
    objects: int
    bytes: int
    unreadable: tuple[Unreadable, ...]


class Engine(Protocol):
    """Runs questions over the change log of a table."""

    def tables(self) -> pd.DataFrame:
        """List the tables there are."""

    def key_names(self, table: str) -> Sequence[str]:
        """Name the key attributes of a table."""

    def ask(self, question: str, table: str, **values: object) -> Answer:
        """Run a question's SQL file over a table's deliveries."""

    def sql(self, question: str, table: str, **values: object) -> str:
        """Return the text `ask` would run, in Athena's dialect."""

    def close(self) -> None:
        """Free what the engine holds; the next question opens it again."""

    def reread(self, table: str) -> None:
        """Read the table's log again line by line, because a fast reader let something wrong pass."""
