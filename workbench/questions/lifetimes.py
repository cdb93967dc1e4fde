"""How long items live: by group, as a curve of survival, and by the month they came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from workbench.engines import Answer
from workbench.model.times import Moment, window, zone_of
from workbench.questions.asking import Asking
from workbench.questions.columns import COHORTS, LIFETIMES, SURVIVAL
from workbench.questions.query import frame, own_answer, own_plan, own_text, stands_on, told_without_masked
from workbench.questions.result import Result
from workbench.questions.transitions import refuse_arrays
from workbench.sql.query import Plan
from workbench.sql.query.composed import ComposedText, Expression

_NO_GROUP = "cast(null as varchar)"
_COUNTS = ("items", "living", "deleted", "by_ttl")


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Lifetimes(Result):
    """How long items live, a row a group.

    Attributes
    ----------
    survival
        A row a group and age at which items went: belongs_to, age (timedelta), at_risk (items that were as old, and
        there), ended, by_ttl (of these), survival (the share that lives longer, by Kaplan and Meier: items that live
        count for as long as they have lived).
    cohorts
        A row a group and month in which items came: belongs_to, month (its begin, in the time zone), and the counts
        and the median of the answer.
    """

    survival: pd.DataFrame
    cohorts: pd.DataFrame


def lifetimes(
    asking: Asking, table: str, *, by: str | None, start: Moment | None, end: Moment | None, timezone: str
) -> Lifetimes:
    """Tell how long items live; see `Workbench.lifetimes`."""
    begin, until = window(start, end, timezone)

    def ask() -> tuple[Plan, Answer]:
        asking.engine.keys(table)  # which names the tables there are where there is none of this name
        planned = own_plan(asking, text_of(table, by=by, start=begin, end=until))
        if by is not None:
            refuse_arrays(Expression.read("by", by), planned.columns[0].kind)
        return planned, own_answer(asking, planned, by)

    with told_without_masked(asking, by):
        planned, answer = asking.retrying(table, ask)
    lives = lives_of(frame(planned, answer.rows, asking.settings.numbers), min(until, asking.present))
    lives["month"] = months(lives["began"], timezone)
    asked = {"by": by, "start": start and begin, "end": end and until, "timezone": timezone}
    return asking.result(
        Lifetimes,
        told(lives, ["belongs_to"], LIFETIMES),
        answer,
        "lifetimes",
        table,
        asked,
        notes=[*planned.notes, *stands_on(asking, planned)],
        masked=True,
        survival=curves(lives),
        cohorts=told(lives, ["belongs_to", "month"], COHORTS),
    )


def text_of(
    table: str, *, by: str | None = None, start: Moment | None = None, end: Moment | None = None, timezone: str = "UTC"
) -> ComposedText:
    """Return the query of lifetimes."""
    begin, until = window(start, end, timezone)
    expressions = {} if by is None else {"by": Expression.read("by", by)}
    names = {"by": _NO_GROUP} if by is None else {}
    return own_text("lifetimes", table, expressions, {"start": begin, "end": until}, **names)


def lives_of(df: pd.DataFrame, at: datetime) -> pd.DataFrame:
    """Return the rows of `lifetimes.sql` with the age at which they ended, or at an instant have lived to."""
    ended = df["ended"].notna()
    last = df["ended"].fillna(pd.Timestamp(at))
    age = (last - df["began"]).astype("timedelta64[us]")
    age = age.where(age > pd.Timedelta(0), pd.Timedelta(0))
    ttl = df["by_ttl"].astype(bool) & ended
    return df.assign(age=age, gone=ended, by_ttl=ttl, items=df["items"].astype("int64"))


def months(began: pd.Series[pd.Timestamp], timezone: str) -> pd.Series[pd.Timestamp]:
    """Return the begins of the months that instants are in, in a time zone."""
    local = began.dt.tz_convert(zone_of(timezone)).dt.tz_localize(None)
    first = local.dt.to_period("M").dt.start_time.astype("datetime64[us]")
    return first.dt.tz_localize(zone_of(timezone), nonexistent="shift_forward", ambiguous=True)


def survival(
    age: pd.Series[pd.Timedelta], gone: pd.Series[bool], ttl: pd.Series[bool], items: pd.Series[int]
) -> pd.DataFrame:
    """Return the curve of Kaplan and Meier: a row an age at which items went.

    >>> ages = pd.to_timedelta(pd.Series([1, 2, 3]), unit="D").astype("timedelta64[us]")
    >>> gone, none = pd.Series([True, False, True]), pd.Series([False] * 3)
    >>> survival(ages, gone, none, pd.Series([1, 1, 1]))["survival"].round(3).to_list()
    [0.667, 0.0]
    """
    counts = pd.DataFrame({"age": age, "items": items, "ended": items * gone, "by_ttl": items * ttl})
    at_age = counts.groupby("age", as_index=False).sum()
    at_age["at_risk"] = at_age["items"][::-1].cumsum()[::-1]
    at_age["survival"] = np.cumprod(1 - at_age["ended"] / at_age["at_risk"])
    return at_age.loc[at_age["ended"] > 0, ["age", "at_risk", "ended", "by_ttl", "survival"]]


def curves(lives: pd.DataFrame) -> pd.DataFrame:
    """Return the survival of each group."""
    found = [
        (group, survival(part["age"], part["gone"], part["by_ttl"], part["items"]))
        for (group,), part in _groups(lives, ["belongs_to"])
    ]
    nothing = pd.DataFrame(columns=[name for name in SURVIVAL if name != "belongs_to"])
    df = pd.concat([curve for _, curve in found] or [nothing], ignore_index=True)
    groups = [group for group, curve in found for _ in range(len(curve))]
    df.insert(0, "belongs_to", pd.Series(groups, dtype=object))
    return df.astype({name: kind for name, kind in SURVIVAL.items() if kind != "object"})


def told(lives: pd.DataFrame, by: list[str], columns: Mapping[str, str]) -> pd.DataFrame:
    """Count lives by groups, with the age that half of them, and one in ten, reach: NaT while too few have ended."""
    groups, ages = _groups(lives, by), dict[str, list[Any]](median=[], p90=[])
    counts = []
    for _, part in groups:
        gone, ttl, items = part["gone"], part["by_ttl"], part["items"]
        curve = survival(part["age"], gone, ttl, items)
        counts.append((items.sum(), items[~gone].sum(), items[gone].sum(), items[ttl].sum()))
        for name, share in (("median", 0.5), ("p90", 0.1)):
            ages[name].append(_reached(curve, share))
    df = pd.DataFrame(counts, columns=[*_COUNTS]).assign(
        **{name: pd.Series(values, dtype="timedelta64[us]") for name, values in ages.items()}
    )
    for place, name in enumerate(by):
        dtype = object if name == "belongs_to" else lives[name].dtype
        df.insert(place, name, pd.Series([group[place] for group, _ in groups], dtype=dtype))
    return df.astype({name: kind for name, kind in columns.items() if kind not in ("object", "month")})


def _groups(lives: pd.DataFrame, by: list[str]) -> list[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Return rows by the values that columns have, in their order; what is missing is a value, and the last."""
    codes = pd.DataFrame({name: pd.factorize(lives[name], use_na_sentinel=False)[0] for name in by}, lives.index)
    parts = [part for _, part in lives.groupby(codes.groupby(by, sort=False).ngroup())] if len(lives) else []
    found = [(tuple(part[name].iloc[0] for name in by), part) for part in parts]
    return sorted(found, key=lambda each: [(bool(pd.isna(value)), str(value)) for value in each[0]])


def _reached(curve: pd.DataFrame, share: float) -> Any:
    below = curve.loc[curve["survival"] <= share + 1e-12, "age"]
    return below.iloc[0] if len(below) else pd.NaT
