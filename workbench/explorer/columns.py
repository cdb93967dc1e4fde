"""An attribute of many versions as numbers: equal values have one number, and a greater value has a greater one.

So a table of a million versions is sorted, filtered and compared with itself by whole numbers, exactly: no digit of a
number is lost, whatever the attribute holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.model.attribute_paths import RESERVED, column_name, column_path
from workbench.model.items import typed_value
from workbench.model.records import canonical_json
from workbench.questions.cells import is_absent
from workbench.questions.timeline import shown_value
from workbench.text import plain

Codes = npt.NDArray[np.int32]
_OWN = RESERVED | {"valid_from"}
"""The columns that stand beside attributes in a state."""
ABSENT = -1
"""The number of an attribute that is not there."""
_LONG = 120
"""Characters of a value that a cell shows."""
_LONGEST = 2_000
"""Characters of a value in its tool tip."""
_NUMBER, _BOOL, _TEXT, _BINARY, _OTHER, _NULL = range(6)
_NAMES = {
    "N": "number",
    "S": "text",
    "BOOL": "boolean",
    "B": "binary",
    "SS": "set of texts",
    "NS": "set of numbers",
    "BS": "set of binaries",
    "L": "list",
    "M": "map",
}


@dataclass(frozen=True, eq=False)
class Column:
    """An attribute, or a leaf of one, of all versions.

    Attributes
    ----------
    name
        As frames call the column: the attribute's path.
    codes
        The number of each version's value; `ABSENT` where it has none.
    values
        The different values, each at its number: numbers in order of size, then false and true, texts by code point,
        binary by byte, lists, maps and sets, and NULL.
    """

    name: str
    codes: Codes
    values: pd.Series[Any]

    @cached_property
    def path(self) -> tuple[str, ...]:
        """The names that lead to it."""
        return column_path(self.name)

    def numbers_of(self, value: Any) -> tuple[int, int]:
        """Return from which number on, and before which, values are of the kind of another one, as all texts are."""
        kind = _kind(value)
        return (self._ends[kind - 1] if kind else 0), self._ends[kind]

    @cached_property
    def _ends(self) -> Sequence[int]:
        """Where the numbers of each kind of value end, in the order of `values`."""
        if self.values.dtype != object:
            kind = _kind(self.values.iloc[0]) if len(self.values) else _NUMBER
            return [len(self.values) if each >= kind else 0 for each in range(_NULL + 1)]
        kinds = np.fromiter(map(_kind, self.values), "int8", len(self.values))
        return [int(np.searchsorted(kinds, kind, "right")) for kind in range(_NULL + 1)]

    @cached_property
    def type(self) -> str:
        """What it holds, in words: ``number``, ``text``, or several of these."""
        values: Iterable[Any] = self.values if self.values.dtype == object else self.values.iloc[:1]
        types = dict.fromkeys(next(iter(typed_value(value))) for value in values)
        return " or ".join(_NAMES[each] for each in types if each in _NAMES) or "NULL"

    def taken(self, rows: npt.NDArray[np.int64]) -> pd.Series[Any]:
        """Return the values of rows, typed as they came."""
        nothing = pd.NA if self.values.dtype == object else None  # None is what the type has for it
        values = self.values.array.take(self.codes[rows], allow_fill=True, fill_value=nothing)
        return pd.Series(values, dtype=self.values.dtype, name=self.name)

    def cell(self, code: int) -> tuple[str, str, str]:
        """Return a value as a cell shows it: its text, what it is, and the whole of it where that is more.

        What it is is ``absent``, ``null``, ``empty``, ``number`` or nothing more to say.
        """
        return cell(self.values.iloc[code]) if code >= 0 else ("", "absent", "")


def cell(value: Any) -> tuple[str, str, str]:
    r"""Return a value as a cell shows it; see `Column.cell`.

    >>> cell(288.0), cell(""), cell(None), cell(frozenset({"b", "a"}))
    (('288', 'number', ''), ('""', 'empty', ''), ('NULL', 'null', ''), ('{"a", "b"}', '', ''))
    >>> cell("x" * 200)[0] == "x" * 120 + " …", cell("a\u202eb")[0]
    (True, 'a\\u202eb')
    """
    if value is None:
        return "NULL", "null", ""
    if isinstance(value, str):
        text = plain(value)
        if not text:
            return '""', "empty", ""
    elif isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        text = str(int(value))
    else:
        text = shown_value(value.item() if isinstance(value, np.generic) else value)
    number = "number" if _kind(value) == _NUMBER else ""
    if len(text) <= _LONG:
        return text, number, ""
    whole = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … ({len(text):,} characters)"
    return f"{text[:_LONG]} …", number, whole


def column_of(series: pd.Series[Any]) -> Column:
    """Return an attribute with its values by numbers.

    >>> column = column_of(pd.Series([10, "a", 9, pd.NA, None], dtype=object, name="x"))
    >>> column.codes.tolist(), column.values.tolist(), column.type
    ([1, 2, 0, -1, 3], [9, 10, 'a', None], 'number or text')
    """
    name = column_name(column_path(str(series.name)), beside=_OWN)
    if series.dtype != object:
        codes, different = pd.factorize(series, sort=True)
        return Column(name, codes.astype(np.int32), pd.Series(different))
    numbers, values = _different(series.to_list())
    order = sorted(range(len(values)), key=lambda number: place(values[number]))
    rank = np.empty(len(order) + 1, np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    rank[-1] = ABSENT  # which is also where ABSENT points to
    held = np.empty(len(order), object)
    held[:] = [values[number] for number in order]
    return Column(name, rank[numbers], pd.Series(held, dtype=object))


def place(value: Any) -> tuple[int, Any]:
    """Return what a value is ordered by: its kind, and within that numbers by size, texts by code point.

    >>> place(2) < place(Decimal("10")) < place(True) < place("") < place(b"") < place([]) < place(None)
    True
    """
    kind = _kind(value)
    if kind == _NUMBER:
        return kind, value if isinstance(value, int | Decimal) else Decimal(repr(float(value)))
    if kind == _OTHER:
        return kind, canonical_json({"": typed_value(value)})
    return kind, 0 if value is None else value


def _kind(value: Any) -> int:
    if value is None:
        return _NULL
    if isinstance(value, str):
        return _TEXT
    if isinstance(value, bool | np.bool_):
        return _BOOL
    if isinstance(value, int | float | Decimal | np.number):
        return _NUMBER
    return _BINARY if isinstance(value, bytes) else _OTHER


def _different(cells: list[Any]) -> tuple[Codes, list[Any]]:
    """Return the different values, and for each cell the number of its own.

    Frames share the objects of equal values, mostly: so each object is looked at once.
    """
    _, first, number = np.unique(
        np.fromiter(map(id, cells), "int64", len(cells)), return_index=True, return_inverse=True
    )
    numbers: dict[Any, int] = {}
    values: list[Any] = []
    of_object = np.empty(len(first), np.int32)
    for at, index in enumerate(first.tolist()):
        value = cells[index]
        if value is not None and is_absent(value):
            of_object[at] = ABSENT
            continue
        code = numbers.setdefault(place(value), len(values))
        if code == len(values):
            values.append(value)
        of_object[at] = code
    return of_object[number], values


def below(columns: Iterable[Column], path: Sequence[str | int]) -> list[Column]:
    """Return the columns that hold what is at a path: it, what it lies in, or, of a map, its members.

    >>> columns = [column_of(pd.Series([1], name=name)) for name in ("a.b", "a.c", "ab", "phones")]
    >>> [column.name for column in below(columns, ("a",))], [each.name for each in below(columns, ("phones", 0, "n"))]
    (['a.b', 'a.c'], ['phones'])
    """
    steps = tuple(path)
    return [
        each
        for each in columns
        if (each.path[: len(steps)] == steps) or (len(each.path) < len(steps) and steps[: len(each.path)] == each.path)
    ]
