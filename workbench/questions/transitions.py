"""Between which values an attribute moves, how long it stays at each, and which items are where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import pyarrow as pa

from workbench.engines import Answer
from workbench.errors import ParameterError
from workbench.model.times import Moment, window
from workbench.questions.asking import Asking
from workbench.questions.columns import STAYS, TRANSITIONS
from workbench.questions.frames import key_frame
from workbench.questions.query import frame, own_answer, own_plan, own_text, stands_on, told_without_masked
from workbench.questions.result import Result
from workbench.questions.state import at_most
from workbench.sql.query import Plan
from workbench.sql.query.composed import ComposedText, Expression
from workbench.sql.query.functions import family, in_words


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Transitions(Result):
    """Between which values an attribute moved: a row a pair of values, and the items at each value.

    Attributes
    ----------
    longest
        The items that have been at each value longest: the key attributes, then value, since (UTC), age (timedelta),
        and items: how many are at that value.
    """

    longest: pd.DataFrame

    def _print(self, rows: int, vertical: bool) -> None:
        from workbench.terminal import print_frame, print_verdict

        super()._print(rows, vertical)
        if len(self.longest):
            print_verdict("At each value, the items that have been there longest:")
            print_frame(self.longest)


def transitions(
    asking: Asking, table: str, path: str, *, start: Moment | None, end: Moment | None, limit: int
) -> Transitions:
    """Count the moves of an attribute between its values; see `Workbench.transitions`."""
    begin, until = window(start, end)

    def ask() -> tuple[Plan, Answer]:
        asking.engine.keys(table)  # which names the tables there are where there is none of this name
        text = text_of(table, path, start=begin, end=until, limit=limit)
        planned = own_plan(asking, text)
        refuse_arrays(text.expressions["path"], planned.columns[0].kind)
        return planned, own_answer(asking, planned, path)

    with told_without_masked(asking, path):
        planned, answer = asking.retrying(table, ask)
    df = frame(planned, answer.rows, asking.settings.numbers)
    moved = ~df["is_there"].astype(bool)
    asked = {"path": path, "start": start and begin, "end": end and until, "limit": limit}
    return asking.result(
        Transitions,
        moves(df[moved]),
        answer,
        "transitions",
        table,
        asked,
        notes=[*planned.notes, *stands_on(asking, planned)],
        masked=True,
        longest=asking.masked(
            table,
            stays(df[~moved], asking.key_names(table), min(until, asking.present)),
            within=("value", "since"),
        ),
    )


def text_of(
    table: str, path: str, *, start: Moment | None = None, end: Moment | None = None, limit: int = 10
) -> ComposedText:
    """Return the query of transitions."""
    begin, until = window(start, end)
    values = {"start": begin, "end": until, "shown": at_most(limit)}
    return own_text("transitions", table, {"path": Expression.read("path", path)}, values)


def moves(df: pd.DataFrame) -> pd.DataFrame:
    """Return the moves of `transitions.sql`, the most frequent first."""
    made = pd.DataFrame(
        {
            "from": df["from_value"],
            "to": df["to_value"],
            **{name: df[name] for name in ("moves", "items", "by_ttl")},
            **{name: pd.to_timedelta(df[name].astype("Int64"), unit="us") for name in ("median", "p90")},
            "first_move": df["first_at"],
            "last_move": df["last_at"],
        }
    ).astype({name: kind for name, kind in TRANSITIONS.items() if kind != "object"})
    order = pd.DataFrame({"moves": -made["moves"], **{name: made[name].astype("str") for name in ("from", "to")}})
    order = order.assign(gone=made["from"].isna(), to_gone=made["to"].isna())
    return made.loc[order.sort_values(["moves", "gone", "from", "to_gone", "to"]).index].reset_index(drop=True)


def stays(df: pd.DataFrame, keys: Sequence[str], at: datetime) -> pd.DataFrame:
    """Return the items of `transitions.sql` that are at each value longest, at an instant: the fullest value first."""
    value = df["from_value"]
    items = df["moves"].groupby(value).transform("sum") if len(df) else df["moves"]
    named = df["item"].notna()
    of_items = key_frame(pa.chunked_array([pa.array(df.loc[named, "item"], pa.string())]), keys, STAYS)
    since = df.loc[named, "first_at"].reset_index(drop=True)
    own = pd.DataFrame(
        {
            "value": value[named].reset_index(drop=True),
            "since": since,
            "age": (pd.Timestamp(at) - since).astype("timedelta64[us]"),
            "items": items[named].reset_index(drop=True),
        }
    ).astype({name: kind for name, kind in STAYS.items() if kind != "object"})
    places = own.assign(items=-own["items"], value=own["value"].astype("str"))
    places = places.assign(key=df.loc[named, "item"].reset_index(drop=True))
    order = places.sort_values(["items", "value", "since", "key"]).index
    return pd.concat([of_items, own], axis="columns").loc[order].reset_index(drop=True)


def refuse_arrays(of: Expression, kind: str) -> None:
    """Refuse an expression whose values are no single ones.

    Raises
    ------
    ParameterError
        It says what they are.
    """
    if family(kind) in ("array", "varbinary"):
        raise ParameterError(
            f"{of.name}: {of.written!r} is {in_words(kind)}: take something of it that is one value, such as size(…)"
        )
