"""Where a condition holds, of all versions: it is asked once a value, however many versions have that."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.errors import ParameterError
from workbench.explorer.columns import ABSENT, Column, below, place
from workbench.model.conditions import (
    And,
    Compares,
    Condition,
    Equals,
    Leaf,
    Like,
    Name,
    Not,
    Or,
    Relates,
    holds,
    names_images,
    parse,
    regex_of,
)
from workbench.model.items import typed_value
from workbench.questions.masking import names_masked

Holds = npt.NDArray[np.bool_]


def read_filter(text: str, masked: Sequence[str]) -> Condition:
    """Read a condition on the attributes of items, as `where` of `Workbench.latest_state` takes it.

    Raises
    ------
    ParameterError
        Where it cannot be read, and at which character; where it reads images of changes, or a masked attribute, since
        which items it holds of would tell their values.

    >>> read_filter("age > 40", ["person"])
    Compares(name=Name(image='', path=('age',), size=False), operator='>', value=Decimal('40'))
    """
    if masked and names_masked(text, masked):
        raise ParameterError("it names a masked attribute, and what it holds of would tell the values: leave that out")
    condition = parse(text)
    if names_images(condition):
        raise ParameterError("new. and old. are of changes, and here are items: leave them out")
    return condition


def where_it_holds(condition: Condition, columns: Sequence[Column], rows: int) -> Holds:
    """Return of which versions a condition holds.

    >>> import pandas as pd
    >>> from workbench.explorer.columns import column_of
    >>> column = column_of(pd.Series([1, 5, pd.NA], dtype="Int64", name="n"))
    >>> where_it_holds(parse("n > 1 or n is absent"), [column], 3).tolist()
    [False, True, True]
    """
    match condition:
        case And(parts):
            return reduce(np.logical_and, [where_it_holds(part, columns, rows) for part in parts])
        case Or(parts):
            return reduce(np.logical_or, [where_it_holds(part, columns, rows) for part in parts])
        case Not(part):
            return ~where_it_holds(part, columns, rows)
        case leaf:
            return _leaf(leaf, columns, rows)


def _leaf(leaf: Leaf, columns: Sequence[Column], rows: int) -> Holds:
    names = [leaf.name, leaf.other] if isinstance(leaf, Relates) else [leaf.name]
    read = list(dict.fromkeys(column for name in names for column in below(columns, name.path)))
    if not read:
        return np.full(rows, holds(leaf, {}, None))
    if len(read) == 1 and isinstance(leaf, Compares | Equals) and _is_of(leaf.name, read[0]):
        return _by_place(leaf, read[0])
    if len(read) == 1 and isinstance(leaf, Like) and _is_of(leaf.name, read[0]):
        return _of_texts(read[0], regex_of(leaf.pattern))
    numbers, different = _combinations(read, rows)
    held = [holds(leaf, _image(read, values), None) for values in different]
    return np.array(held, dtype=bool)[numbers]


def _is_of(name: Name, column: Column) -> bool:
    return name.path == column.path and not name.size


def _by_place(leaf: Compares | Equals, column: Column) -> Holds:
    """Compare with a value by where that stands among the values there are, which are in order."""
    codes, values = column.codes, column.values

    def at(value: Any, bisect: Any) -> int:
        number: int = bisect(range(len(values)), place(value), key=lambda number: place(values.iloc[number]))
        return number

    if isinstance(leaf, Equals):
        numbers = [at(value, bisect_left) for value in leaf.values if at(value, bisect_left) < at(value, bisect_right)]
        return np.isin(codes, numbers)
    first, last = column.numbers_of(leaf.value)
    if "<" in leaf.operator:
        last = at(leaf.value, bisect_right if "=" in leaf.operator else bisect_left)
    else:
        first = at(leaf.value, bisect_left if "=" in leaf.operator else bisect_right)
    held: Holds = (codes >= first) & (codes < last)
    return held


def _of_texts(column: Column, pattern: re.Pattern[str]) -> Holds:
    first, last = column.numbers_of("")
    held = np.zeros(len(column.values) + 1, bool)  # the last one is of ABSENT
    held[first:last] = [pattern.fullmatch(text) is not None for text in column.values.iloc[first:last].tolist()]
    of_versions: Holds = held[column.codes]
    return of_versions


def _combinations(columns: Sequence[Column], rows: int) -> tuple[npt.NDArray[np.intp], list[tuple[int, ...]]]:
    """Return the combinations of numbers that columns have in a row, and which of them each row has."""
    numbers = np.zeros(rows, np.intp)
    different: list[tuple[int, ...]] = [()]
    for column in columns:
        width = len(column.values) + 1
        pairs, numbers = np.unique(numbers * width + (column.codes - ABSENT), return_inverse=True)
        different = [(*different[each // width], each % width + ABSENT) for each in pairs.tolist()]
    return numbers, different


def _image(columns: Sequence[Column], codes: Sequence[int]) -> dict[str, Any]:
    """Return an image of what columns hold, as DynamoDB JSON."""
    image: dict[str, Any] = {}
    for column, code in zip(columns, codes, strict=True):
        if code == ABSENT:
            continue
        inner = image
        for name in column.path[:-1]:
            inner = inner.setdefault(name, {"M": {}})["M"]
        inner[column.path[-1]] = typed_value(column.values.iloc[code])
    return image
