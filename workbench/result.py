"""Result: the answer to a question as a DataFrame, with the SQL that gave it and what it took."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workbench import export
from workbench.objects import Unreadable


@dataclass(frozen=True)
class Stats:
    """What an answer took, and how far it can be trusted."""

    rows: int
    """Rows of the answer."""
    seconds: float
    """Wall time of the query, reading included."""
    objects: int
    """Objects of the log that were read."""
    bytes: int
    """Their stored size."""
    unreadable: tuple[Unreadable, ...] = ()
    """Lines that are no change record; the answer stands on all others."""
    ambiguous_ties: int = 0
    """Items whose changes of one instant only event_id could settle."""


@dataclass(frozen=True)
class Result:
    """The answer to a question.

    Attributes
    ----------
    df
        The answer.
    sql
        The text that ran, in Athena's dialect.
    stats
        What it took, and what could not be read.
    """

    df: pd.DataFrame
    sql: str
    stats: Stats

    @property
    def summary(self) -> str:
        """One line: how many rows, from how much, how long, and what to mind."""
        s = self.stats
        return (f"{s.rows:,} rows from {s.objects:,} objects ({s.bytes / 1e6:,.1f} MB) in {s.seconds:.2f} s"
                + (f" · {s.ambiguous_ties:,} ambiguous ties" if s.ambiguous_ties else "")
                + (f" · {len(s.unreadable):,} unreadable lines" if s.unreadable else ""))  # fmt: skip

    def to_parquet(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the answer as Parquet; see `workbench.export.write`."""
        return export.write(self.df, path, "parquet", overwrite=overwrite)

    def to_csv(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the answer as CSV; see `workbench.export.write`."""
        return export.write(self.df, path, "csv", overwrite=overwrite)

    def to_excel(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the answer as an Excel sheet; see `workbench.export.write`."""
        return export.write(self.df, path, "xlsx", overwrite=overwrite)

    def to_json(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the answer as a JSON array of objects; see `workbench.export.write`."""
        return export.write(self.df, path, "json", overwrite=overwrite)

    def _repr_html_(self) -> str:
        return f"{self.df.to_html(max_rows=20, border=0)}<p><small>{self.summary}</small></p>"
