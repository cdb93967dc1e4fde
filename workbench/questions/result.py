"""Result: the answer to a question as a DataFrame, with the SQL that gave it and what it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.aws.costs import Query, spent
from workbench.log.objects import Unreadable
from workbench.questions import writers
from workbench.questions.masking import REDACTED, How, names_masked, ordered
from workbench.questions.masking import mask as masked
from workbench.text import count, plain, size


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
    first_arrival: datetime | None = None
    last_arrival: datetime | None = None
    """When the first and the last object read arrived, in UTC; None where they do not tell."""
    newest_change: datetime | None = None
    """When the last change of the log was made, in UTC; None where that is not known."""
    notes: tuple[str, ...] = ()
    """What else to know about the answer."""
    queries: tuple[Query, ...] = ()
    """On Athena: the queries it took."""
    spent: float = 0.0
    """On Athena: the dollars that all queries of this workbench have cost so far, these included."""

    @property
    def scanned(self) -> int:
        """Bytes that Athena scanned."""
        return spent(self.queries).scanned

    @property
    def cost(self) -> float:
        """Dollars, by the setting `price_per_tb`."""
        return spent(self.queries).cost


@dataclass(frozen=True, repr=False)
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
    asked
        The question, the table and the other parameters.
    session
        The AWS session with which it may be written to S3; None from the embedded engine.
    """

    df: pd.DataFrame
    sql: str
    stats: Stats
    asked: Mapping[str, Any] = field(default_factory=dict)
    session: Any = field(default=None, repr=False, compare=False, kw_only=True)
    keys: Sequence[str] = field(default=(), repr=False, compare=False, kw_only=True)
    """The key attributes where they are the first columns: rows are ordered by them."""

    @property
    def within(self) -> Sequence[str]:
        """The columns by which rows are ordered before the key."""
        question = self.asked.get("question") if type(self) is Result else None
        return {"changes": ("ts",), "hot_keys": ("changes",)}.get(str(question), ())

    @property
    def summary(self) -> str:
        """One line: how many rows, from how much, how long, and what to mind."""
        s = self.stats
        return (
            f"{count(s.rows, 'row')} from {count(s.objects, 'object')} ({size(s.bytes)}) in {s.seconds:.2f} s"
            + (f" · scanned {size(s.scanned)}, ${s.cost:,.4f} (${s.spent:,.4f} so far)" if s.queries else "")
            + (f" · {count(s.ambiguous_ties, 'ambiguous tie')}" if s.ambiguous_ties else "")
            + (f" · {count(len(s.unreadable), 'unreadable line')}" if s.unreadable else "")
            + " · newest change "
            + (f"{s.newest_change:%Y-%m-%d %H:%M:%S} UTC" if s.newest_change else "not known")
            + (f" · newest object of {s.last_arrival:%Y-%m-%d %H:%M:%S} UTC" if s.last_arrival else "")
            + "".join(f" · {note}" for note in s.notes)
        )

    def write(
        self,
        path: str | Path,
        kind: str | None = None,
        *,
        overwrite: bool = False,
        nested: bool = False,
        excel: bool = False,
        mask: str | Sequence[str] = (),
        mask_with: How = "hash",
        mask_salt: str = "",
    ) -> Path | str:
        """Write the answer to a file or, from Athena, to ``s3://…``, and beside it ``FILE.meta.json`` on its origin.

        The second file holds the question, its parameters and window, the SQL, what was read and what could not be,
        what is masked, and the first file's columns and SHA-256. Where the SQL or a parameter names a masked
        attribute, the SQL and all parameters but times and flags are ``[masked]``, since they may hold its values.

        Parameters
        ----------
        kind
            parquet, csv, xlsx or json; by the file's ending where not given.
        nested
            Maps whole instead of flattened; see `workbench.questions.writers.write`, which also says how values are
            written.
        excel
            CSV for Excel; see `workbench.questions.writers.write`.
        mask, mask_with, mask_salt
            Attributes whose values are not to be written; see `workbench.questions.masking.mask`.

        Raises
        ------
        ExportError
            Where a file exists and `overwrite` is not set, or cannot be written.
        ParameterError
            Where a path in `mask` is malformed.
        """
        df = ordered(self.df, masked(self.df, mask, mask_with, mask_salt), len(self.keys), self.within)
        meta = self._meta(dict.fromkeys([mask] if isinstance(mask, str) else mask, mask_with))
        return writers.write(
            df, path, kind, overwrite=overwrite, nested=nested, excel=excel, meta=meta, session=self.session
        )

    def to_parquet(self, path: str | Path, **options: Any) -> Path | str:
        """Write the answer as Parquet; `write` has the options."""
        return self.write(path, "parquet", **options)

    def to_csv(self, path: str | Path, **options: Any) -> Path | str:
        """Write the answer as CSV; `write` has the options."""
        return self.write(path, "csv", **options)

    def to_excel(self, path: str | Path, **options: Any) -> Path | str:
        """Write the answer as an Excel sheet; `write` has the options."""
        return self.write(path, "xlsx", **options)

    def to_json(self, path: str | Path, **options: Any) -> Path | str:
        """Write the answer as a JSON array of objects; `write` has the options."""
        return self.write(path, "json", **options)

    def _meta(self, hidden: Mapping[str, How]) -> dict[str, Any]:
        parameters = dict(self.asked)
        question, table = parameters.pop("question", None), parameters.pop("table", None)
        hidden = dict.fromkeys(parameters.pop("mask", ()), parameters.pop("mask_with", "hash")) | dict(hidden)
        sql, s = self.sql, self.stats
        if any(names_masked(str(each), list(hidden)) for each in (sql, *parameters, *parameters.values())):
            sql = REDACTED
            parameters = {
                name: value if isinstance(value, datetime | timedelta | bool | None) else REDACTED
                for name, value in parameters.items()
            }
        window = {name: parameters[name] for name in ("start", "end", "as_of") if name in parameters}
        return {
            "question": question,
            "table": table,
            "parameters": parameters,
            "sql": sql,
            "window": window
            | {"first_arrival": s.first_arrival, "last_arrival": s.last_arrival, "newest_change": s.newest_change},
            **({"queries": [vars(query) for query in s.queries]} if s.queries else {}),
            "objects": s.objects,
            "bytes": s.bytes,
            "seconds": s.seconds,
            "unreadable": len(s.unreadable),
            "ambiguous_ties": s.ambiguous_ties,
            "notes": s.notes,
            "masked": hidden,
        }

    def _repr_html_(self) -> str:
        with pd.option_context("display.html.use_mathjax", False):  # else a text with two $ in it becomes a formula
            table = self.df.to_html(max_rows=20, border=0)
        return plain(f"{table}<p><small>{escape(self.summary)}</small></p>", keep="\n")

    def __repr__(self) -> str:
        """Show the answer as text in which nothing acts on the terminal."""
        about = ", ".join(f"{name}={value!r}" for name, value in self.asked.items())
        return plain(f"{type(self).__name__}({about})\n{self.df}\n{self.summary}", keep="\n")
