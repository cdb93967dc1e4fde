"""Result: the answer to a question as a DataFrame, with the SQL that gave it and what it took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, overload

import pandas as pd

from workbench.aws.costs import FinishedQuery, spent
from workbench.errors import ParameterError, did_you_mean
from workbench.log.known import as_known
from workbench.log.objects import Unreadable
from workbench.model.attribute_paths import column_name
from workbench.model.conditions import CHANGES, COLUMN, LATEST, VERSIONS, parse
from workbench.model.conditions import names as names_of
from workbench.progress import in_notebook
from workbench.questions import writers
from workbench.questions.html import first_rows, small_print
from workbench.questions.large import Frame, LargeFrame, first_of, none_of, whole_of
from workbench.questions.masking import REDACTED, How, hide, names_masked
from workbench.text import count, plain, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Order = Literal["newest", "oldest"]
_COLUMNS_NAMED = 8
_SHOWN = 20  # rows
_WHEN = ("_changed_at", "valid_from", "dbt_valid_from", "ts", "bucket", "last_change", "last_move")
"""The columns that say when, of which an answer has one before others."""
_HELD_FROM = frozenset({"valid_from", "valid_to", "dbt_valid_from", "dbt_valid_to"})


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
    chosen: frozenset[str] = field(default=frozenset(), repr=False, compare=False, kw_only=True)
    """What was chosen by `select`: columns, order, limit."""
    shows_notes: ClassVar[bool] = False
    """Whether `show` prints the notes itself."""
    _always: ClassVar[frozenset[str]] = frozenset()

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

    def select(
        self, columns: str | Sequence[str] | None = None, *, order: Order | None = None, limit: int | None = None
    ) -> Self:
        """Return the same answer with some of its columns and rows only, to be shown or written.

        What is left out is said in `summary` and in the notes beside a file.

        Parameters
        ----------
        columns
            Their names, as a list or with commas between. The name of an attribute stands for what is below it too, and
            in changes for its column of either image.
        order
            ``"newest"`` or ``"oldest"`` first; without it, as the answer has them.
        limit
            Only the first so many rows.

        Raises
        ------
        ParameterError
            Where there is no such column, no time to order by, or the limit is no number of rows.

        Examples
        --------
        >>> wb.latest_state("persons").select("pk, visits", order="newest", limit=2).df
                 pk  visits
        0  p-000007       5
        1  p-000011      11
        """
        frame: Frame = self._frame
        notes: list[str] = []
        names = None if columns is None else [*self._columns_named(columns), *self._always.intersection(frame.columns)]
        if order is not None:
            frame = self._ordered(order)
        if limit is not None:
            if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
                raise ParameterError(f"limit={limit!r} is no number of rows")
            if len(frame) > limit:
                notes = [f"the {f'{order} ' if order else 'first '}{limit:,} of {len(frame):,} rows"]
                frame = first_of(frame, limit)
        if names is not None:
            frame = frame.map(lambda part: part[names]) if isinstance(frame, LargeFrame) else frame[names]
        stats = replace(self.stats, rows=len(frame), notes=(*self.stats.notes, *notes))
        held: Any = frame
        keys = self.keys if names is None or names[: len(self.keys)] == list(frame.columns[: len(self.keys)]) else ()
        given = {"columns": columns, "order": order, "limit": limit}
        chosen = self.chosen | {name for name, value in given.items() if value is not None}
        return replace(self, df=held, stats=stats, keys=keys, chosen=chosen)

    def _columns_named(self, columns: str | Sequence[str]) -> list[str]:
        """Return the columns that names stand for, in their order."""
        given = [each.strip() for each in columns.split(",")] if isinstance(columns, str) else list(columns)
        names = list(map(str, self._frame.columns))
        chosen: dict[str, None] = {}
        for name in filter(None, given):
            sides = [f"new.{name}", f"old.{name}"] if "event_name" in names else []
            below = tuple(f"{side}." for side in (name, *sides))
            meant = [name] if name in names else [each for each in names if each in sides]
            meant = meant or [each for each in names if each.startswith(below)]
            if not meant:
                raise ParameterError(f"{self._title} has no column {name!r}.{did_you_mean(name, names)}")
            chosen |= dict.fromkeys(meant)
        if not chosen:
            raise ParameterError(f"{self._title}: name a column, such as {names[0]}" if names else "there is no column")
        return list(chosen)

    def _ordered(self, order: Order) -> pd.DataFrame:
        if order not in ("newest", "oldest"):
            raise ParameterError(f"order={order!r}: use newest or oldest")
        none = none_of(self._frame)
        when = next((name for name in _WHEN if name in none and none[name].dtype.kind == "M"), None)
        if when is None or self.asked.get("question") == "query":
            raise ParameterError(f"{self._title} has no time of its own to order by: leave out order")
        ordered = self.df.sort_values(when, ascending=order == "oldest", kind="stable", na_position="last")
        return ordered.reset_index(drop=True)

    def show(self, rows: int = _SHOWN, *, vertical: bool = False) -> None:
        """Print the answer as the command line does; in a notebook, display it.

        Parameters
        ----------
        rows
            The most rows printed.
        vertical
            Whether rows are printed one below the other, a line for each value that is there.
        """
        if in_notebook():
            from IPython.display import display

            display(self)  # type: ignore[no-untyped-call]
        else:
            self._print(rows, vertical)

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
    def unlike_shown(self) -> str:
        """How `df`, and files of it, differ from the table that the answer shows; empty where they do not."""
        return ""

    @property
    def summary(self) -> str:
        """One line: how many rows, from how much, how long, and what to mind."""
        return self.read + "".join(f" · {note}" for note in self.stats.notes)

    @property
    def read(self) -> str:
        """One line: the same without notes, of what tells these itself."""
        s = self.stats
        return (
            f"{count(s.rows, 'row')} from {count(s.objects, 'object')} ({size(s.bytes)}) in {s.seconds:.2f} s"
            + (f" · scanned {size(s.scanned)}" if s.queries else "")
            + (f", ${s.cost:,.4f} (${s.spent:,.4f} so far)" if s.queries and s.spent else "")
            + (f" · {count(s.ambiguous_ties, 'ambiguous tie')}" if s.ambiguous_ties else "")
            + (f" · {count(len(s.unreadable), 'unreadable line')}" if s.unreadable else "")
            + " · newest change "
            + (f"{s.newest_change:%Y-%m-%d %H:%M:%S} UTC" if s.newest_change else "not known")
            + (f" · newest object of {s.last_arrival:%Y-%m-%d %H:%M:%S} UTC" if s.last_arrival else "")
            + (f" · {as_known(s.known_at)}" if s.known_at else "")
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
            parquet, csv, tsv, xlsx, json or jsonl, of which those that are text may end in .gz; by the file's ending
            where not given.
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

    def to_jsonl(self, path: str | Path, **options: Any) -> Path | str:
        """Write the answer as JSON Lines, an object a row; `write` has the options."""
        return self.write(path, "jsonl", **options)

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
        shown = self._for_people(_SHOWN)
        more = self._more(_SHOWN)
        rest = small_print(f"… {count(more, 'more row')}") if more else ""
        return first_rows(shown, _SHOWN) + rest + small_print(self.summary)

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

    def _for_people(self, rows: int) -> pd.DataFrame:
        """Return what is shown of the first rows; a large answer is not made for it as a whole."""
        return whole_of(first_of(self._frame, rows))

    @property
    def _asked_about(self) -> frozenset[str]:
        """The columns that are shown whatever room there is: the time a state holds from, and what was asked about."""
        names = list(map(str, self._frame.columns))
        about = {each for each in names if any(is_about(each, name) for name in self._names_asked)}
        return frozenset(about | _HELD_FROM.intersection(names))

    @property
    def _names_asked(self) -> list[str]:
        """The attributes that a condition names."""
        where = self.asked.get("where")
        if not isinstance(where, str) or where == REDACTED:
            return []
        columns = {"versions": VERSIONS, "changes": CHANGES}.get(str(self.asked.get("question")), LATEST)
        try:
            condition = parse(where, columns)
        except ParameterError:  # it is in SQL
            return []
        return list(dict.fromkeys(column_name(name.path) for name in names_of(condition) if name.image != COLUMN))

    def _print(self, rows: int, vertical: bool) -> None:
        from workbench.terminal import print_frame

        shown = self._for_people(rows)
        print_frame(
            shown,
            rows,
            keys=len(self.keys),
            asked=self._asked_about,
            all_columns=self._whole,
            vertical=vertical,
            more=self._more(rows),
        )

    @property
    def _whole(self) -> bool:
        """Whether all columns that are shown to people are there whatever room there is."""
        return "columns" in self.chosen

    def _more(self, rows: int) -> int:
        """How many more rows there are than are shown."""
        return max(len(self) - rows, 0)


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


def is_about(column: str, name: str) -> bool:
    """Return whether a column holds the attribute of a name, or a part of it, or what it is a part of.

    >>> is_about("person.age", "person"), is_about("phones", "phones[0].number"), is_about("phone", "phones")
    (True, True, False)
    """
    shorter, longer = sorted((column, name), key=len)
    return longer == shorter or longer.startswith((f"{shorter}.", f"{shorter}["))


def _written(value: Any) -> str:
    """Write a parameter; an instant as ISO 8601.

    >>> _written(datetime(2026, 11, 1, 12)), _written(["INSERT"])
    ("'2026-11-01T12:00:00'", "['INSERT']")
    """
    return repr(value.isoformat() if isinstance(value, datetime) else value)
