"""Result: the answer to a question as a DataFrame, with the SQL that gave it and what it took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from workbench.aws.costs import FinishedQuery, spent
from workbench.errors import ParameterError, did_you_mean
from workbench.log.known import as_known
from workbench.log.objects import Unreadable
from workbench.progress import in_notebook
from workbench.questions import writers
from workbench.questions.html import first_rows, small_print
from workbench.questions.large import Frame, whole_of
from workbench.questions.masking import REDACTED, How, hide, names_masked
from workbench.text import count, plain, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS_NAMED = 8


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
    known_at: datetime | None = None
    """The setting: what had arrived until then was asked, in UTC; None where that was all there is."""
    notes: tuple[str, ...] = ()
    """What else to know about the answer."""
    queries: tuple[FinishedQuery, ...] = ()
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


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """The answer to a question: a frame, with the SQL that gave it and what that took.

    It has a length, columns and a head as its frame has, shows itself by `show` and in a notebook, and its text names
    what was asked and what came, and no value of the data.

    Attributes
    ----------
    df
        The answer. A large one is on disk until it is looked at: its length, its columns and its way to a file do
        without it.
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
    def _frame(self) -> Frame:
        frame: Frame = self.__dict__["_frame"]
        return frame

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self._frame)

    def __bool__(self) -> bool:
        """Return that there is an answer, also where it has no rows."""
        return True

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns, as a frame does."""
        return iter(map(str, self._frame.columns))

    @overload
    def __getitem__(self, column: str) -> pd.Series[Any]: ...
    @overload
    def __getitem__(self, column: list[str]) -> pd.DataFrame: ...
    def __getitem__(self, column: str | list[str]) -> pd.Series[Any] | pd.DataFrame:
        """Return a column, or a frame of some.

        Raises
        ------
        ParameterError
            Where there is none of that name.
        """
        names_given = [column] if isinstance(column, str) else column
        if not isinstance(names_given, list) or not all(isinstance(name, str) for name in names_given):
            raise ParameterError(f"{self._title}[…] takes the name of a column, or a list of names; for rows take .df")
        for name in names_given:
            if name not in self.df:
                names = list(map(str, self.df.columns))
                raise ParameterError(f"{self._title} has no column {name!r}.{did_you_mean(str(name), names)}")
        return self.df[column]

    def head(self, n: int = 5) -> pd.DataFrame:
        """Return the first rows."""
        return self.df.head(n)

    def show(self) -> None:
        """Print the answer as the command line does; in a notebook, display it."""
        if in_notebook():
            from IPython.display import display

            display(self)  # type: ignore[no-untyped-call]
        else:
            self._print()

    def plot(self, kind: str | None = None, **options: Any) -> Axes:
        """Draw the chart of the question: of `change_frequency` that of what it counts, of `data_quality` the delays.

        Parameters
        ----------
        kind
            Which chart, where the question has several: of changes by event also ``"live_items"`` and
            ``"weekday_hour"``; `workbench.charts.of_questions` lists them.
        **options
            The chart's: `ax`, `title`, `subject`.

        Raises
        ------
        ParameterError
            Where the question has no chart, or none of that name.
        """
        from workbench import charts  # matplotlib, which only charts need

        question, by = (str(self.asked.get(name, "")) for name in ("question", "by"))
        drawable = charts.charts_of(question, by)
        if not drawable:
            *drawn, last = dict.fromkeys(chart.question for chart in charts.of_questions.CHARTS)
            raise ParameterError(
                f"there is no chart of {self._title}: {', '.join(drawn)} and {last} have one; "
                "for one of your own take .df.plot()"
            )
        if kind is not None and kind not in drawable:
            raise ParameterError(f"{kind!r} is no chart of {self._title}: use {', '.join(drawable)}")
        chart = drawable[kind] if kind else next(iter(drawable.values()))
        return chart.draw(self, **options)

    @property
    def within(self) -> Sequence[str]:
        """The columns by which rows are ordered before the key."""
        if self.asked.get("question") == "changes":
            return ("ts",)
        if self.asked.get("question") == "stale":
            return ("_changed_at",)
        by_key = self.asked.get("by") == "key" or self.asked.get("question") == "hot_keys"
        return ("changes",) if by_key else ()

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
            + (f" · {as_known(s.known_at)}" if s.known_at else "")
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
        actor = self.asked.get("actor")
        frame = hide(self._frame, mask, mask_with, mask_salt, keys=len(self.keys), within=self.within, actor=actor)
        meta = self._meta(dict.fromkeys([mask] if isinstance(mask, str) else mask, mask_with))
        return writers.write(
            frame, path, kind, overwrite=overwrite, nested=nested, excel=excel, meta=meta, session=self.session
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
        question, table, actor = (parameters.pop(name, None) for name in ("question", "table", "actor"))
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
            | {"first_arrival": s.first_arrival, "last_arrival": s.last_arrival, "newest_change": s.newest_change}
            | ({"known_at": s.known_at} if s.known_at else {}),
            **({"queries": [vars(query) for query in s.queries]} if s.queries else {}),
            "objects": s.objects,
            "bytes": s.bytes,
            "seconds": s.seconds,
            "unreadable": len(s.unreadable),
            "ambiguous_ties": s.ambiguous_ties,
            "notes": s.notes,
            "masked": hidden,
            **({"actor": actor} if actor else {}),
        }

    def _repr_html_(self) -> str:
        return first_rows(self.df, 20) + small_print(self.summary)

    def __repr__(self) -> str:
        """Say what was asked and what came, without a value of the data, and so that nothing acts on a terminal."""
        return plain("\n".join((self._title, self._outcome, self.summary)), keep="\n")

    @property
    def as_json(self) -> str:
        """The answer as the command line prints it for programs: a JSON array of objects."""
        return "".join(writers.to_json(self.df))

    @property
    def _title(self) -> str:
        """The question as it is asked in Python."""
        given = (f", {name}={_written(value)}" for name, value in self.asked.items() if name not in _ASKED)
        return f"{self.asked.get('question', 'an answer')}({self.asked.get('table', '')!r}{''.join(given)})"

    @property
    def _outcome(self) -> str:
        """One line: what came; an answer with a verdict says that."""
        names = list(self)
        more = f", … {len(names) - _COLUMNS_NAMED:,} more" if len(names) > _COLUMNS_NAMED else ""
        columns = f"{count(len(names), 'column')}: {', '.join(names[:_COLUMNS_NAMED])}{more}"
        return f"{count(len(self), 'row')} × {columns}"

    def _print(self) -> None:
        from workbench.terminal import print_frame

        print_frame(self.df)


class _Held:
    """The frame of a result, which may be a `LargeFrame` until it is looked at."""

    def __get__(self, result: Result, owner: type) -> pd.DataFrame:
        df = whole_of(result._frame)
        self.__set__(result, df)
        return df

    def __set__(self, result: Result, frame: Frame) -> None:
        result.__dict__["_frame"] = frame


Result.df = _Held()  # type: ignore[assignment] # within the class a dataclass would take it for a default
_ASKED = ("question", "table")


def _written(value: Any) -> str:
    """Write a parameter; an instant as ISO 8601.

    >>> _written(datetime(2026, 11, 1, 12)), _written(["INSERT"])
    ("'2026-11-01T12:00:00'", "['INSERT']")
    """
    return repr(value.isoformat() if isinstance(value, datetime) else value)
