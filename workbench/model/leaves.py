"""Images taken apart into columns of texts: one an attribute path and type, of which `attributes` makes typed columns.

A leaf is an attribute at the end of an image's maps; an empty map is one. Its text is the value of an S, N or B as it
stands in the image, ``true`` or ``false`` of BOOL, and of all other types the JSON of what the type holds. In each row
an attribute has at most one type, so at most one of its columns holds a text.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import RecordRefused
from workbench.model.attributes import Numbers
from workbench.model.canonical import PYTHON_TYPES, canonical_number
from workbench.model.items import plain_value

_EXACT_INTEGERS = 2**53
"""Up to here every integer is a double."""
_SAFE_DIGITS = 15
"""Decimal numbers of so many digits survive the way to a double and back."""
_PLAIN = r"^-?[0-9]+(?:\.[0-9]+)?$"
_WHOLE = r"^-?[0-9]+(?:\.0+)?$"


class Leaf(NamedTuple):
    """An attribute path and one of the types it has."""

    path: tuple[str, ...]
    kind: str


@dataclass
class Kinds:
    """What types an attribute has in the images seen so far, and what columns may hold all its numbers exactly.

    >>> kinds = Kinds()
    >>> kinds.see("N", pa.array(["1", "1.5"]))
    >>> kinds.integers, kinds.doubles
    (False, True)
    """

    names: set[str] = field(default_factory=set)
    integers: bool = True
    """Whether every number is an integer of 64 bits."""
    doubles: bool = True
    """Whether every number survives the way to a double and back."""

    def see(self, kind: str, texts: pa.Array) -> None:
        """Take in a column of texts of one type.

        Raises
        ------
        RecordRefused
            Where one is no value of the type.
        """
        self.names.add(kind)
        if kind == "N":
            self._see_numbers(texts)
        elif kind not in ("S", "BOOL"):
            for text in pc.unique(texts).drop_null().to_pylist():
                value_of(kind, text)

    def _see_numbers(self, texts: pa.Array) -> None:
        if not len(written := texts.drop_null()):
            return
        if (integers := as_integers(written)) is not None:
            largest = pc.max(pc.abs_checked(integers)).as_py() if _abs_fits(integers) else _EXACT_INTEGERS + 1
            if largest is None or largest <= _EXACT_INTEGERS or not self.doubles:
                return
            odd = pc.unique(written)
        else:
            plain = is_plain(written)
            if self.integers:
                whole = pc.match_substring_regex(written, _WHOLE)
                self.integers = bool(pc.all(pc.or_(pc.invert(plain), whole)).as_py())
            odd = pc.unique(written.filter(pc.invert(plain)))
        for text in odd.to_pylist():
            if not (self.integers or self.doubles):
                return
            number = exact(text)
            self.integers &= number == number.to_integral_value() and -(2**63) <= number < 2**63
            self.doubles &= Decimal(repr(float(number))) == number


def leaves(images: Iterable[str | bytes | None]) -> dict[Leaf, pa.Array]:
    """Take images, given as DynamoDB JSON text, apart; None is no image.

    Raises
    ------
    RecordRefused
        Where a text is not DynamoDB JSON.

    >>> {leaf.path: texts.to_pylist() for leaf, texts in leaves(['{"n":{"N":"1"}}', None]).items()}
    {('n',): ['1', None]}
    """
    columns: dict[Leaf, tuple[list[int], list[Any]]] = {}
    rows = 0
    with _without_gc():
        root = Node()
        for rows, text in enumerate(images, start=1):
            if text is None:
                continue
            try:
                root.collect(orjson.loads(text), rows - 1)
            except (AttributeError, TypeError, ValueError):
                raise RecordRefused(f"image {rows:,} is not DynamoDB JSON") from None  # which may show values
        for path, kinds in root.leaves():
            columns |= {Leaf(path, kind): found for kind, found in kinds.items()}
        return {leaf: _texts(leaf.kind, *found, rows) for leaf, found in columns.items()}


def value_of(kind: str, text: str) -> Any:
    """Return the Python value of a leaf, as `items.plain_value` has it.

    Raises
    ------
    RecordRefused
        Where it is none.

    >>> value_of("NS", '["1"]')
    frozenset({1})
    """
    try:
        return plain_value({kind: text if kind in ("S", "N", "B") else orjson.loads(text)})
    except (AttributeError, TypeError, ValueError, KeyError):
        raise RecordRefused(f"an image is not DynamoDB JSON: within type {kind!r}") from None


def exact(text: str) -> Decimal:
    """Return a number of DynamoDB's with all its digits.

    >>> exact("1.50")
    Decimal('1.5')
    """
    return Decimal(canonical_number(text))


def as_integers(written: pa.Array) -> pa.Array | None:
    """Return texts as integers of 64 bits, where all are written as such; else None.

    >>> as_integers(pa.array(["1", None])).to_pylist(), as_integers(pa.array(["1.5"]))
    ([1, None], None)
    """
    try:
        integers = pc.cast(written, pa.int64())
    except pa.ArrowInvalid:
        return None
    in_hex = pc.any(pc.match_substring(written, "x", ignore_case=True)).as_py()  # 0x10 is no number
    return None if in_hex else integers


def is_plain(written: pa.Array) -> pa.Array:
    """Tell which texts are decimal numbers of so few digits that a double holds them exactly, and back."""
    short = pc.less_equal(pc.binary_length(written), _SAFE_DIGITS)
    return pc.and_(short, pc.match_substring_regex(written, _PLAIN))


def _abs_fits(integers: pa.Array) -> bool:
    return bool(pc.min(integers).as_py() != -(2**63))


def _texts(kind: str, positions: Sequence[int], values: Sequence[Any], rows: int) -> pa.Array:
    if set(map(type, values)) - {PYTHON_TYPES.get(kind)}:
        raise RecordRefused(f"an image is not DynamoDB JSON: an attribute of type {kind!r} holds another type")
    if kind == "BOOL":
        values = ["true" if value else "false" for value in values]
    elif kind not in ("S", "N", "B"):
        values = [orjson.dumps(value).decode() for value in values]
    if len(values) == rows:
        return pa.array(values, pa.string())
    cells = np.full(rows, None, dtype=object)
    cells[np.array(positions, dtype="int64")] = values
    return pa.array(cells, pa.string())


def in_order(paths: Iterable[tuple[str, ...]], keys: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """Return paths in the order of a frame's columns: the keys, there or not, then the others by name.

    >>> in_order([("b",), ("a", "x"), ("pk",)], ["pk"])
    [('pk',), ('a', 'x'), ('b',)]
    """
    held = {*paths, *((name,) for name in keys if not any(path[0] == name for path in paths))}
    place = {name: number for number, name in enumerate(keys)}
    return sorted(held, key=lambda path: (place.get(path[0], len(place)), path))


def column(texts: Mapping[str, pa.Array], kinds: Kinds, rows: int, numbers: Numbers = "auto") -> pd.Series:
    """Make a column of typed values of an attribute's texts.

    Parameters
    ----------
    texts
        By type, see `leaves`; those of some of the rows that `kinds` is about, or of all.
    kinds
        What types the attribute has in all rows: they decide on the type of the column.

    >>> texts = {"N": pa.array(["1", None])}
    >>> kinds = Kinds()
    >>> kinds.see("N", texts["N"])
    >>> column(texts, kinds, 2).to_list()
    [1, <NA>]
    """
    if len(kinds.names) <= 1:
        kind = next(iter(kinds.names), "S")
        held = texts.get(kind)
        if held is None:
            held = pa.nulls(rows, pa.string())
        if kind == "S":
            return pd.Series(pd.array(held, dtype="string"))
        if kind == "BOOL":
            return pd.Series(pd.array(pc.equal(held, "true"), dtype="boolean"))
        if kind == "N" and numbers == "auto" and kinds.integers:
            return _integers(held)
        if kind == "N" and numbers == "auto" and kinds.doubles:
            return pd.Series(_doubles(held))
    whole = numbers == "auto" and len(kinds.names) > 1  # beside other types an integer is one
    cells = np.full(rows, pd.NA, dtype=object)
    for kind, held in texts.items():
        _fill(cells, held, (lambda text: exact(text)) if kind == "N" and not whole else partial(value_of, kind), kind)
    return pd.Series(cells, dtype=object)


def _integers(texts: pa.Array) -> pd.Series:
    integers = as_integers(texts)
    if integers is None:
        numbers = [None if text is None else int(exact(text)) for text in texts.to_pylist()]
        integers = pa.array(numbers, pa.int64())
    missing = pc.is_null(integers).to_numpy(zero_copy_only=False)
    data = pc.fill_null(integers, 0).to_numpy(zero_copy_only=False)
    return pd.Series(pd.arrays.IntegerArray(data.copy(), missing))


def _doubles(texts: pa.Array) -> Any:
    plain = pc.fill_null(is_plain(texts), False)
    doubles = pc.cast(pc.if_else(plain, texts, None), pa.float64())
    column = pc.fill_null(doubles, np.nan).to_numpy(zero_copy_only=False) + 0.0  # of -0.0, 0.0
    odd = pc.and_(pc.is_valid(texts), pc.invert(plain)).to_numpy(zero_copy_only=False)
    if odd.any():
        column[odd] = [float(exact(text)) for text in texts.filter(pa.array(odd)).to_pylist()]
    return column


def _fill(cells: Any, texts: pa.Array, read: Callable[[str], Any], kind: str) -> None:
    """Put the values of texts into the cells of their rows; those that nobody can change are read once a text."""
    held = pc.is_valid(texts).to_numpy(zero_copy_only=False)
    if kind in ("L", "M"):
        cells[held] = _objects([read(text) for text in texts.drop_null().to_pylist()])
        return
    encoded = texts.drop_null().dictionary_encode()
    values = _objects([read(text) for text in encoded.dictionary.to_pylist()])
    cells[held] = values[encoded.indices.to_numpy()]


def _objects(values: list[Any]) -> Any:
    """Make a one-dimensional array of objects, also of lists of equal length."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@contextmanager
def _without_gc() -> Iterator[None]:
    enabled = gc.isenabled()  # millions of small lists live on, and none of them in a cycle: half the time saved
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Node:
    """One attribute path while images are taken apart: its children, and its values by type."""

    __slots__ = ("children", "kinds")

    def __init__(self) -> None:
        self.children: dict[str, Node] = {}
        self.kinds: dict[str, tuple[list[int], list[Any]]] = {}

    def collect(self, image: Mapping[str, Any], row: int) -> None:
        """Take in a row's attributes, and those of its maps."""
        children = self.children
        for name, value in image.items():
            child = children.get(name) or children.setdefault(name, Node())
            ((kind, inner),) = value.items()
            if kind == "M" and inner:
                child.collect(inner, row)
            elif kind in child.kinds:
                rows, values = child.kinds[kind]
                rows.append(row)
                values.append(inner)
            else:
                child.kinds[kind] = ([row], [inner])

    def leaves(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Yield the paths that hold values, with them."""
        if self.kinds:
            yield path, self.kinds
        for name, child in self.children.items():
            yield from child.leaves((*path, name))
