"""How an aggregate over the items of a table moves: its value at the end of every bucket of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from workbench.engines import Answer
from workbench.errors import ParameterError
from workbench.model.attributes import Numbers
from workbench.model.times import Moment, window
from workbench.model.typed_columns import number_column
from workbench.questions import time_buckets
from workbench.questions.asking import Asking
from workbench.questions.query import frame, own_answer, own_plan, own_text, stands_on, told_without_masked
from workbench.questions.result import Result
from workbench.questions.transitions import refuse_arrays
from workbench.sql.literals import literal
from workbench.sql.query import Plan
from workbench.sql.query.composed import Aggregate, ComposedText, Expression
from workbench.sql.query.functions import NUMBERS, family, in_words

_NO_GROUP, _EVERY_ITEM, _ONE, _VALUE, _NOTHING = "cast(null as varchar)", "true", "1", '"value"', "0"
_MOST_GROUPS = 1_000
_EXACT = Context(prec=120)
_Walked = tuple[np.ndarray, np.ndarray]  # of each bucket: how many items there are, and the aggregate
_BLOCK = 512  # values whose counts are added up together


def trend(
    asking: Asking,
    table: str,
    aggregate: str,
    *,
    every: str,
    by: str | None,
    where: str | None,
    start: Moment | None,
    end: Moment | None,
    timezone: str,
) -> Result:
    """Tell how an aggregate moves; see `Workbench.trend`."""
    begin, until = window(start, end, timezone)
    written = aggregate, by, where
    with told_without_masked(asking, *written):
        of = Aggregate.read("aggregate", aggregate)
    given: dict[str, Any] = {"every": every, "by": by, "where": where, "start": begin, "end": until}

    def planned_as(*, told_by_steps: bool) -> Plan:
        text = text_of(table, aggregate, **given, timezone=timezone, told_by_steps=told_by_steps)
        return own_plan(asking, text)

    def ask() -> tuple[Plan, Answer]:
        asking.engine.keys(table)  # which names the tables there are where there is none of this name
        planned = planned_as(told_by_steps=False)
        group, value = (column.kind for column in planned.columns[1:3])
        if by is not None:
            refuse_arrays(Expression.read("by", by), group)
        _refuse(of, value)
        if of.is_told_by_steps and (of.function == "count" or family(value) != "double"):
            planned = planned_as(told_by_steps=True)
        return planned, own_answer(asking, planned, *written)

    with told_without_masked(asking, *written):
        planned, answer = asking.retrying(table, ask)
    steps = frame(planned, answer.rows, "decimal")
    ends = begin if start else None, until if end else None
    buckets, places = _buckets(steps["at"], every, timezone, *ends)
    groups, codes = _groups(steps["belongs_to"], by)
    walk = _walked_values if "value" in steps else _walked_sums
    walked = [walk(of, steps[codes == code], places[codes == code], len(buckets)) for code in range(len(groups))]
    notes = [*planned.notes, *stands_on(asking, planned), *time_buckets.left_out(buckets)]
    df = _long(buckets, groups if by else None, walked, asking.settings.numbers)
    asked: dict[str, Any] = {
        "aggregate": aggregate,
        "every": every,
        "by": by,
        "where": where,
        "start": start and begin,
        "end": end and until,
        "timezone": timezone,
    }
    return asking.result(Result, df, answer, "trend", table, asked, notes=notes, masked=True)


def text_of(
    table: str,
    aggregate: str,
    *,
    every: str = "1d",
    by: str | None = None,
    where: str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    timezone: str = "UTC",
    told_by_steps: bool = True,
) -> ComposedText:
    """Return the query of a trend: of the steps of sums and counts, or, where these do not tell it, of values."""
    begin, until = window(start, end, timezone)
    of = Aggregate.read("aggregate", aggregate)
    expressions = {
        name: Expression.read(name, each) for name, each in (("by", by), ("where", where)) if each is not None
    }
    if of.argument:
        expressions["value"] = of.argument
    names = {
        "value": _ONE,
        "by": _NO_GROUP,
        "where": _EVERY_ITEM,
        "unit": literal(time_buckets.unit_of(every, timezone)),
    }
    values = {"start": begin, "end": until}
    if of.is_told_by_steps and told_by_steps:
        amount = _NOTHING if of.function == "count" else _VALUE
        return own_text("trend", table, expressions, values, **names, amount=amount)
    return own_text("trend_values", table, expressions, values, **names)


def _refuse(of: Aggregate, kind: str) -> None:
    """Refuse an aggregate of what it cannot be taken of.

    Raises
    ------
    ParameterError
        It says what that is.
    """
    if of.argument is None or (of.function == "count" and not of.distinct):
        return
    refuse_arrays(of.argument, kind)
    numbers = family(kind) in NUMBERS or kind == "null"
    if of.function in ("sum", "avg", "median") and not numbers:
        raise of.argument.about_all(f"{of.function} takes numbers, and this is {in_words(kind)}")
    if of.function in ("min", "max") and kind == "boolean":
        raise of.argument.about_all(f"{of.function} takes numbers, texts and times, and this is {in_words(kind)}")


def _buckets(
    at: pd.Series[Any], every: str, timezone: str, start: datetime | None, end: datetime | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the buckets of a window, and in which of them each step is."""
    counted = pd.DataFrame({"bucket": at.dt.tz_localize(None), "steps": 1})
    buckets = time_buckets.into_buckets(counted, every, timezone, start, end)
    begins = buckets["bucket"].dt.tz_convert("UTC").astype("datetime64[us, UTC]").astype("int64").to_numpy()
    places = np.searchsorted(begins, at.astype("datetime64[us, UTC]").astype("int64").to_numpy(), "right") - 1
    return buckets, np.clip(places, 0, None)


def _groups(belongs_to: pd.Series[Any], by: str | None) -> tuple[pd.Series[Any], np.ndarray]:
    """Return the groups there are, in order, and the number of that of each step.

    Raises
    ------
    ParameterError
        Where there are too many to be told apart.
    """
    if by is None:
        return belongs_to.iloc[:0].reindex([0]), np.zeros(len(belongs_to), dtype="int64")
    groups = belongs_to.drop_duplicates()
    if len(groups) > _MOST_GROUPS:
        raise ParameterError(
            f"by={by!r} makes {len(groups):,} groups, more than {_MOST_GROUPS:,}: group by something coarser"
        )
    groups = groups.sort_values(na_position="last").reset_index(drop=True)
    there = groups.dropna()
    codes = pd.Series(there.index, index=pd.Index(there, dtype=object))
    found = belongs_to.astype(object).map(codes).fillna(len(there))
    return groups, found.to_numpy("int64")


def _walked_sums(of: Aggregate, steps: pd.DataFrame, places: np.ndarray, buckets: int) -> _Walked:
    """Add the steps of sums and counts up."""
    items, known = (_summed(steps[name], places, buckets) for name in ("items", "known"))
    if of.function == "count":
        return items, (items if of.argument is None else known).astype(object)
    totals = [Fraction(0) if total is pd.NA else Fraction(total) for total in steps["total"]]
    deltas = np.full(buckets, Fraction(0), dtype=object)
    np.add.at(deltas, places, np.array(totals, dtype=object))
    total = np.cumsum(deltas) if buckets else deltas
    if of.function == "avg":
        told: list[Any] = [float(one / int(many)) if many else None for one, many in zip(total, known, strict=True)]
    else:
        told = [_decimal(one) if many else None for one, many in zip(total, known, strict=True)]
    return items, np.array(told, dtype=object)


def _walked_values(of: Aggregate, steps: pd.DataFrame, places: np.ndarray, buckets: int) -> _Walked:
    """Keep how many items have each value, bucket by bucket, and look at what that makes."""
    items = _summed(steps["items"], places, buckets)
    there = steps["value"].notna().to_numpy()
    order = np.argsort(places[there], kind="stable")
    cells, codes = np.unique(steps["value"][there].astype(object).to_numpy(), return_inverse=True)
    codes, many = codes[order], steps["items"][there].to_numpy("int64")[order]
    ends = np.searchsorted(places[there][order], np.arange(buckets), "right")
    counts, told = _Counts(cells), np.full(buckets, None, dtype=object)
    begin = 0
    for bucket, end in enumerate(ends.tolist()):
        if end > begin:
            counts.add(codes[begin:end], many[begin:end], total=of.function in ("sum", "avg"))
            told[bucket] = counts.tell(of.function)
        elif bucket:
            told[bucket] = told[bucket - 1]
        elif of.function == "count":
            told[bucket] = 0
        begin = end
    return items, told


class _Counts:
    """How many items have each of some values, which are given in order."""

    def __init__(self, cells: np.ndarray) -> None:
        self._cells = cells
        blocks = len(cells) // _BLOCK + 1
        self._of = np.zeros(blocks * _BLOCK, dtype="int64")
        self._blocks = np.zeros(blocks, dtype="int64")
        self._different = self._known = 0
        self._total = Fraction(0)

    def add(self, codes: np.ndarray, many: np.ndarray, *, total: bool) -> None:
        """Add how many items more have values, by their numbers."""
        touched = np.unique(codes)
        before = np.count_nonzero(self._of[touched])
        np.add.at(self._of, codes, many)
        np.add.at(self._blocks, codes // _BLOCK, many)
        self._different += int(np.count_nonzero(self._of[touched]) - before)
        self._known += int(many.sum())
        if total:
            self._total += sum(Fraction(self._cells[code]) * int(n) for code, n in zip(codes, many, strict=True))

    def tell(self, function: str) -> Any:
        """Return an aggregate; None of no values."""
        if function == "count":
            return self._different
        if not self._known:
            return None
        if function in ("sum", "avg"):
            return float(self._total / (self._known if function == "avg" else 1))
        if function == "min":
            return self._at(0)
        if function == "max":
            return self._at(self._known - 1)
        low, high = self._at((self._known - 1) // 2), self._at(self._known // 2)
        if isinstance(low, float):
            return (low + high) / 2
        return _decimal((Fraction(low) + Fraction(high)) / 2)

    def _at(self, place: int) -> Any:
        """Return the value that so many items are below in order."""
        blocks = np.cumsum(self._blocks)
        block = int(np.searchsorted(blocks, place, "right"))
        within = np.cumsum(self._of[block * _BLOCK : (block + 1) * _BLOCK])
        past = int(blocks[block - 1]) if block else 0
        return self._cells[block * _BLOCK + int(np.searchsorted(within, place - past, "right"))]


def _summed(steps: pd.Series[Any], places: np.ndarray, buckets: int) -> np.ndarray:
    """Return a sum of whole numbers at the end of each bucket."""
    sums = np.zeros(buckets, dtype="int64")
    np.add.at(sums, places, np.array([0 if step is pd.NA else int(step) for step in steps], dtype="int64"))
    return np.cumsum(sums)


def _decimal(value: Fraction) -> Decimal:
    """Return a number whose denominator is a power of ten, or twice that, as a decimal without rounding it."""
    return _EXACT.divide(Decimal(value.numerator), Decimal(value.denominator))


def _long(
    buckets: pd.DataFrame, groups: pd.Series[Any] | None, walked: Sequence[_Walked], numbers: Numbers
) -> pd.DataFrame:
    """Return one row a bucket and group, in this order."""
    many, number = len(walked), np.arange(len(buckets) * len(walked))
    df = pd.DataFrame({"bucket": buckets["bucket"].take(number // max(many, 1)).array})
    if groups is not None:
        if any(isinstance(group, Decimal) for group in groups):
            groups = _cells(np.array([None if pd.isna(group) else group for group in groups], dtype=object), numbers)
        df["belongs_to"] = groups.take(number % max(many, 1)).array
    told = np.stack([each for _, each in walked], axis=1).ravel() if many else np.array([], dtype=object)
    items = np.stack([each for each, _ in walked], axis=1).ravel() if many else np.array([], dtype="int64")
    return df.assign(value=_cells(told, numbers), items=items)


def _cells(told: np.ndarray, numbers: Numbers) -> pd.Series[Any]:
    """Return values as a column of their type."""
    kind = next((type(each) for each in told if each is not None), int)
    if kind is float:
        return pd.Series(told).astype("float64")
    if kind in (int, Decimal, np.int64):
        texts = [None if each is None else f"{each:f}" if isinstance(each, Decimal) else str(each) for each in told]
        if numbers == "decimal" and kind is Decimal:
            return pd.Series([pd.NA if text is None else Decimal(text) for text in texts], dtype=object)
        return number_column(pa.chunked_array([pa.array(texts, pa.string())]))
    if kind is str:
        return pd.Series(told, dtype="string")
    times = pd.Series(pd.to_datetime(pd.Series(told, dtype=object)))
    return times.dt.as_unit("us")
