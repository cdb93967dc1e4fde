"""DynamoDB JSON ↔ Python and pandas, typed and lossless.

An item becomes a row; its maps become dotted columns (``person.address.city``), its lists and sets stay
whole in one cell. In a cell a missing value (`pandas.NA`, or NaN in a float64 column) is an attribute
the item does not have, `None` is DynamoDB's NULL, and ``''`` is an empty text.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import RecordRefused
from workbench.model.attribute_paths import RESERVED, column_name, column_path
from workbench.model.canonical import PYTHON_TYPES, canonical_number
from workbench.model.items import exact_number, plain_value, typed_value

Numbers = Literal["auto", "decimal"]


def frame(images: Iterable[str | bytes], *, keys: Sequence[str] = (), numbers: Numbers = "auto") -> pd.DataFrame:
    """Read images, given as DynamoDB JSON text, into a DataFrame of typed, flattened columns.

    Parameters
    ----------
    keys
        Names of the key attributes: these columns come first and are there even without a row.
    numbers
        ``"auto"``: an N column is Int64 where every value is an integer that fits, float64 where every
        value survives the round trip exactly, else Decimal. ``"decimal"``: always Decimal.

    Returns
    -------
    pandas.DataFrame
        The keys, then the other attributes by name. S is ``string``, BOOL ``boolean``, everything else
        ``object``: bytes, frozenset, list, dict (an empty map), Decimal, or, where an attribute's type
        differs between items, each value in its own type.

    Raises
    ------
    RecordRefused
        Where a text is not DynamoDB JSON.

    >>> frame(['{"pk":{"S":"a"},"n":{"N":"1.5"}}'], keys=["pk"]).to_dict("records")
    [{'pk': 'a', 'n': 1.5}]
    """
    root, rows = Gathered(), 0
    with without_gc():
        for rows, text in enumerate(images, start=1):
            root.add(text, rows - 1)
        for name in keys:
            root.child(name)
        columns = {}
        for path, node in root.leaves(tuple(keys)):
            columns[column_name(path)] = _column(node.kinds, rows, numbers)
            node.kinds = {}  # hundreds of megabytes for a million items
    return pd.DataFrame(columns, index=pd.RangeIndex(rows), copy=False)


def to_images(df: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the DynamoDB JSON images of a frame of flattened columns; the inverse of `frame`.

    >>> to_images(frame(['{"pk":{"S":"a"},"person":{"M":{"age":{"N":"41"}}}}']))
    [{'person': {'M': {'age': {'N': '41'}}}, 'pk': {'S': 'a'}}]
    """
    images: list[dict[str, Any]] = [{} for _ in range(len(df))]
    for name in (column for column in df.columns if column not in RESERVED):
        *parents, last = column_path(str(name))
        floats = df[name].dtype.kind == "f"
        for image, value in zip(images, df[name].astype(object), strict=True):
            if value is pd.NA or (isinstance(value, float) and value != value and (floats or df[name].dtype == "str")):
                continue
            target = image
            for parent in parents:
                target = target.setdefault(parent, {"M": {}})["M"]
            target.setdefault(last, typed_value(value))
    return images


@contextmanager
def without_gc() -> Iterator[None]:
    """Make millions of small objects, none of them in a cycle, in half the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Gathered:
    """What images hold at one attribute path: the attributes in it, and its values by type.

    >>> root = Gathered()
    >>> root.add('{"n":{"N":"1"}}', 0)
    >>> [(path, gathered.kinds) for path, gathered in root.leaves()]
    [(('n',), {'N': ([0], ['1'])})]
    """

    __slots__ = ("children", "kinds")

    def __init__(self) -> None:
        self.children: dict[str, Gathered] = {}
        self.kinds: dict[str, tuple[list[int], list[Any]]] = {}
        """By type, the rows that have a value, and the values as JSON has them."""

    def add(self, image: str | bytes, row: int) -> None:
        """Take in an image, given as DynamoDB JSON text.

        Raises
        ------
        RecordRefused
            Where it is none, as far as types within lists and sets are not looked at.
        """
        try:
            self._add(orjson.loads(image), row)
        except (AttributeError, TypeError, ValueError):
            raise RecordRefused(f"image {row + 1:,} is not DynamoDB JSON") from None  # which may show values

    def child(self, name: str) -> Gathered:
        """Return what is gathered of an attribute in this one."""
        return self.children.setdefault(name, Gathered())

    def leaves(
        self, first: tuple[str, ...] = (), path: tuple[str, ...] = ()
    ) -> Iterator[tuple[tuple[str, ...], Gathered]]:
        """Yield the paths that hold values, `first` before the others, which come by name."""
        if path and (self.kinds or not self.children):
            yield path, self
        for name in [*first, *sorted(self.children.keys() - set(first))]:
            yield from self.children[name].leaves((), (*path, name))

    def _add(self, image: Mapping[str, Any], row: int) -> None:
        children = self.children
        for name, value in image.items():
            child = children.get(name) or self.child(name)
            ((kind, inner),) = value.items()
            if kind == "M" and inner:
                child._add(inner, row)
            elif kind in child.kinds:
                rows, values = child.kinds[kind]
                rows.append(row)
                values.append(inner)
            else:
                child.kinds[kind] = ([row], [inner])


def _column(kinds: Mapping[str, tuple[list[int], list[Any]]], rows: int, numbers: Numbers) -> pd.Series:
    for kind, (_, values) in kinds.items():
        if set(map(type, values)) - {PYTHON_TYPES.get(kind)}:
            raise RecordRefused(f"an image is not DynamoDB JSON: an attribute of type {kind!r} holds another type")
    if len(kinds) <= 1:
        kind = next(iter(kinds), "S")
        positions, values = kinds.get(kind, ([], []))
        if kind == "S":
            return _filled(positions, values, rows, pd.NA).astype("string")
        if kind == "BOOL":
            return _filled(positions, values, rows, pd.NA).astype("boolean")
        if kind == "N" and numbers == "auto":
            return _numbers(positions, values, rows)
    merged = np.full(rows, pd.NA, dtype=object)
    for kind, (positions, values) in kinds.items():
        if kind == "N":
            whole = numbers == "auto" and len(kinds) > 1
            converted = [exact_number(text) if whole else Decimal(canonical_number(text)) for text in values]
        else:
            try:
                converted = [plain_value({kind: value}) for value in values]
            except (AttributeError, TypeError, ValueError, KeyError):
                raise RecordRefused(f"an image is not DynamoDB JSON: within type {kind!r}") from None
        merged[positions] = _objects(converted)
    return pd.Series(merged, dtype=object)


def _numbers(positions: list[int], texts: list[str], rows: int) -> pd.Series:
    """Choose the narrowest of Int64, float64 and Decimal that holds every number exactly."""
    try:
        written = pa.array(texts, pa.string())
        integers = pc.cast(written, pa.int64())
    except pa.ArrowInvalid:
        integers = None
    if integers is not None and not pc.any(pc.match_substring(written, "x", ignore_case=True)).as_py():  # 0x10 is none
        return _masked(positions, integers.to_numpy(), rows)
    exact = [Decimal(canonical_number(text)) for text in texts]
    if all(number == number.to_integral_value() and -(2**63) <= number < 2**63 for number in exact):
        return _masked(positions, np.array([int(number) for number in exact], dtype="int64"), rows)
    floats = [float(number) for number in exact]
    if all(Decimal(repr(value)) == number for value, number in zip(floats, exact, strict=True)):
        column = np.full(rows, np.nan)
        column[positions] = floats
        return pd.Series(column)
    return _filled(positions, exact, rows, pd.NA)


def _masked(positions: list[int], integers: Any, rows: int) -> pd.Series:
    data, missing = np.zeros(rows, dtype="int64"), np.ones(rows, dtype=bool)
    data[positions], missing[positions] = integers, False
    return pd.Series(pd.arrays.IntegerArray(data, missing))


def _filled(positions: list[int], values: list[Any], rows: int, absent: object) -> pd.Series:
    column = np.full(rows, absent, dtype=object)
    column[positions] = _objects(values)
    return pd.Series(column, dtype=object)


def _objects(values: list[Any]) -> Any:
    """Make a one-dimensional array of objects, also of lists of equal length."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
