"""Tables as pages show them: the texts of their cells, and the orders in which their rows may be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count, islice
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from workbench.questions.cells import is_absent
from workbench.questions.large import Frame, none_of, parts
from workbench.terminal import cell

MOST_ROWS = 5_000
"""Rows of a table that a page holds: a browser shows, sorts and searches as many at once. Files hold all."""
MOST_CHARACTERS = 2_000_000
"""Characters of a table that a page holds, those counted that are around a cell's text."""
_AROUND = 9
_LONG = 40
"""Characters from which on a text goes over several lines."""
Kind: TypeAlias = Literal["number", "time", "text"]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name
        Its heading.
    kind
        What it holds; numbers stand at the right.
    order
        The places of the rows, those with the smallest values first.
    absent
        How many of them, the last of the order, hold nothing.
    width
        Characters of its longest cell or heading, a long text being broken.
    heads
        Whether its cells are what rows are called by.
    """

    name: str
    kind: Kind
    order: list[int]
    absent: int
    width: int
    heads: bool = False

    @property
    def long(self) -> bool:
        """Whether its texts go over several lines."""
        return self.width >= _LONG


@dataclass(frozen=True)
class ShownTable:
    """A table as a page shows it.

    Attributes
    ----------
    columns
        Those of the index first, where it says more than a row's number.
    rows
        The texts of the cells; None where a cell holds nothing. Empty where the table is shown as HTML of its own.
    total
        How many rows there are, of which these are the first.

    Examples
    --------
    >>> names = pd.Series(["a", None, ""], dtype=object)
    >>> shown = ShownTable.of(pd.DataFrame({"n": [Decimal("10.5"), 9, pd.NA], "name": names}))
    >>> shown.rows
    [['10.5', 'a'], ['9', 'NULL'], [None, '""']]
    >>> [(column.name, column.kind, column.order, column.absent) for column in shown.columns]
    [('n', 'number', [1, 0, 2], 1), ('name', 'text', [2, 0, 1], 1)]
    >>> ShownTable.from_json(shown.to_json()) == shown
    True
    """

    columns: list[Column]
    rows: list[list[str | None]]
    total: int

    @classmethod
    def of(cls, frame: Frame, *, heads: int = 0, total: int | None = None) -> ShownTable:
        """Make one of the first rows of a frame, as many as a page holds.

        Parameters
        ----------
        heads
            How many of the first columns are what rows are called by.
        total
            How many rows there are, where the frame has not all of them.
        """
        first = _first(frame, MOST_ROWS)
        texts = [_texts(first.iloc[:, at]) for at in range(len(first.columns))]
        sizes = np.cumsum([sum(len(text or "") + _AROUND for text in row) for row in zip(*texts, strict=True)])
        fits = max(int(np.searchsorted(sizes, MOST_CHARACTERS, "right")), 1)
        columns = [
            _column(first.iloc[:fits, at], texts[at][:fits], at < heads, _heading(first, at))
            for at in range(len(first.columns))
        ]
        rows = [list(row) for row in islice(zip(*texts, strict=True), fits)]
        return cls(columns, rows, len(frame) if total is None else total)

    def to_json(self) -> str:
        """Write it, for a process that makes pages."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ShownTable:
        """Read what `to_json` wrote."""
        table = json.loads(text)
        return cls([Column(**column) for column in table["columns"]], table["rows"], table["total"])


def with_index(df: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return a frame with its index as its first columns, and how many they are: none where it only numbers rows.

    >>> with_index(pd.DataFrame({"n": [1]}, index=pd.Index(["a"], name="pk")))[0].to_dict("records")
    [{'pk': 'a', 'n': 1}]
    >>> with_index(pd.DataFrame({"n": [1, 2]}).tail(1))[1]
    0
    """
    df = df.set_axis(pd.Index([_flat(name) for name in df.columns], dtype=object), axis="columns")
    if numbers_rows(df.index):
        return df.reset_index(drop=True), 0
    levels = [df.index.get_level_values(level) for level in range(df.index.nlevels)]
    names = [_flat(name) if name is not None else "" for name in df.index.names]
    index = pd.concat([level.to_series(index=pd.RangeIndex(len(df))) for level in levels], axis="columns")
    index.columns = pd.Index(names, dtype=object)
    return pd.concat([index, df.reset_index(drop=True)], axis="columns"), len(levels)


def numbers_rows(index: pd.Index) -> bool:
    """Return whether an index says nothing but which row is which.

    >>> numbers_rows(pd.RangeIndex(3)), numbers_rows(pd.Index(["a"])), numbers_rows(pd.Index([1], name="version"))
    (True, False, False)
    """
    return index.nlevels == 1 and index.name is None and pd.api.types.is_integer_dtype(index.dtype)


def writable(df: pd.DataFrame) -> pd.DataFrame:
    """Return a frame as files of tables hold it: with names of their own, and as text what they have no type for.

    >>> df = pd.DataFrame([[1, pd.Period("2026-11")]] * 2, columns=["n", "n"])
    >>> writable(df).to_dict("records")
    [{'n': 1, 'n (2)': '2026-11'}, {'n': 1, 'n (2)': '2026-11'}]
    """
    names: list[str] = []
    for name in map(str, df.columns):
        own = (f"{name} ({number})" if number > 1 else name for number in count(1))
        names.append(next(each for each in own if each not in names))
    columns = [df.iloc[:, at] for at in range(len(names))]
    held = [column if _has_a_type(column) else _as_texts(column) for column in columns]
    if names == [*df.columns] and all(new is old for new, old in zip(held, columns, strict=True)):
        return df
    return pd.concat(held, axis="columns", keys=names) if held else df


def _as_texts(column: pd.Series[Any]) -> pd.Series[Any]:
    texts = [None if value is None else text for value, text in zip(column, _texts(column), strict=True)]
    return pd.Series(texts, column.index, dtype=object)


def _has_a_type(column: pd.Series[Any]) -> bool:
    """Return whether files of tables hold what a column does."""
    dtype = column.dtype
    if pd.api.types.is_object_dtype(dtype):
        return all(value is None or is_absent(value) or _is_of_items(value) for value in column)
    plain = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)
    kinds = (pd.SparseDtype, pd.PeriodDtype, pd.IntervalDtype)
    return (plain or dtype.kind in "bmMOSUV") and not isinstance(dtype, kinds)


def _is_of_items(value: Any) -> bool:
    """Return whether a value is one that attributes of items have."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_of_items(each) for name, each in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_of_items, value))
    if isinstance(value, Decimal):
        return value.is_finite()
    return value is None or isinstance(value, str | bytes | bool | int | float | np.bool_ | np.number)


def _flat(name: Any) -> str:
    return " · ".join(str(part) for part in name if str(part)) if isinstance(name, tuple) else str(name)


def _first(frame: Frame, rows: int) -> pd.DataFrame:
    taken: list[pd.DataFrame] = []
    for part in parts(frame):
        taken.append(part.head(rows))
        rows -= len(taken[-1])
        if not rows:
            break
    return pd.concat(taken) if len(taken) > 1 else taken[0] if taken else none_of(frame)


def _heading(df: pd.DataFrame, at: int) -> str:
    dtype = df.dtypes.iloc[at]
    zone = f" ({dtype.tz})" if isinstance(dtype, pd.DatetimeTZDtype) else ""
    return f"{df.columns[at]}{zone}"


def _column(cells: pd.Series[Any], texts: Sequence[str | None], heads: bool, name: str) -> Column:
    keys = [_sort_key(value, text) for value, text in zip(cells.astype(object), texts, strict=True)]
    if isinstance(cells.dtype, pd.CategoricalDtype) and cells.dtype.ordered:  # low before high, as their author says
        keys = [
            key if text is None else (key[0], code)
            for key, text, code in zip(keys, texts, cells.cat.codes, strict=True)
        ]
    kinds = {key[0] for key in keys} - {_NULL, _ABSENT}
    kind: Kind = "number" if kinds and kinds <= {_NUMBER, _DURATION} else "time" if kinds == {_TIME} else "text"
    longest = max((len(text) for text in texts if text), default=0)
    return Column(
        name,
        kind,
        order=sorted(range(len(keys)), key=keys.__getitem__),
        absent=sum(key[0] in (_NULL, _ABSENT) for key in keys),
        width=min(max(longest, len(name)), _LONG),
        heads=heads,
    )


_NUMBER, _TIME, _DURATION, _FLAG, _TEXT, _NULL, _ABSENT = range(7)


def _sort_key(value: Any, text: str | None) -> tuple[int, Any]:
    """Return by what a cell is ordered: its kind, and what it is beside others of that kind."""
    if text is None:
        return _ABSENT, 0
    if value is None:
        return _NULL, 0
    if isinstance(value, np.generic) and not isinstance(value, np.timedelta64 | np.datetime64):
        value = value.item()
    if isinstance(value, bool):
        return _FLAG, value
    if isinstance(value, Decimal) and value.is_nan():
        return _NULL, 0
    if isinstance(value, int | float | Decimal):
        return _NUMBER, value
    if isinstance(value, timedelta | np.timedelta64):
        return _DURATION, value if isinstance(value, timedelta) else pd.Timedelta(value)
    if isinstance(value, datetime):
        return _TIME, value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return _TIME, datetime(value.year, value.month, value.day, tzinfo=UTC)
    return _TEXT, text.casefold()


def _texts(column: pd.Series[Any]) -> list[str | None]:
    """Return what the cells of a column show; None where they hold nothing."""
    values = list(column.astype(object))
    times = [value for value in values if isinstance(value, datetime) and not is_absent(value)]
    form = _form_of(times) + ("%z" if column.dtype == object else "")
    return [None if is_absent(value) else _text(value, form) for value in values]


def _text(value: Any, form: str) -> str:
    if isinstance(value, datetime):
        return f"{value:{form}}".replace("+0000", "")
    if isinstance(value, float):
        return _number(value)
    return cell(value) if not isinstance(value, str) or value else '""'


def _form_of(times: Sequence[datetime]) -> str:
    """Return how times are written: as finely as the finest of them needs.

    >>> _form_of([datetime(2026, 11, 1), datetime(2026, 11, 2, 12)])
    '%Y-%m-%d %H:%M'
    """
    if any(time.microsecond for time in times):
        return "%Y-%m-%d %H:%M:%S.%f"
    if any(time.second for time in times):
        return "%Y-%m-%d %H:%M:%S"
    return "%Y-%m-%d %H:%M" if any(time.hour or time.minute for time in times) else "%Y-%m-%d"


def _number(value: float) -> str:
    """Write a float: whole where it has few digits, else to six of them, and all those before its point.

    >>> [_number(value) for value in (0.1 + 0.2, 2.0, 10893.26, 1 / 3, 1234567.8912, 1e300, float("inf"))]
    ['0.3', '2', '10893.26', '0.333333', '1234567.89', '1e+300', 'inf']
    """
    whole = f"{value:.12g}"
    if len(whole.lstrip("-").replace(".", "").lstrip("0")) <= _DIGITS or not 1e4 <= abs(value) < 1e12:
        return whole if len(whole) <= _DIGITS + 3 else f"{value:.6g}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


_DIGITS = 8
"""Of a float that is shown whole: most that has more comes of a division."""
