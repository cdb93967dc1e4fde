"""The cells of a frame as Arrow, text and JSON have them, without losing a digit."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from workbench.questions.large import Frame, LargeFrame

_DIGITS = 38
"""Of a decimal that every reader of Parquet knows."""


def is_absent(value: Any) -> bool:
    """Return whether a cell holds nothing, which NULL and an empty text are not.

    >>> is_absent(pd.NA), is_absent(float("nan")), is_absent(None), is_absent("")
    (True, True, False, False)
    """
    return value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def to_arrow(df: pd.DataFrame, *, nested: bool = True) -> pa.Table:
    """Turn a frame into an Arrow table without losing a digit; `nested` keeps lists and bytes as they are.

    >>> to_arrow(pd.DataFrame({"n": [1, Decimal("1.5")], "tags": [["a"], pd.NA]}))["n"].to_pylist()
    [Decimal('1.0'), Decimal('1.5')]
    """
    arrays = {str(name): _arrow(df[name], nested) for name in df.columns}
    return pa.table(arrays) if arrays else pa.table({})


def write_tables(frame: Frame, write: Callable[[pa.Schema, Iterator[pa.Table]], None], *, nested: bool = True) -> None:
    """Have a frame written as Arrow tables of one schema, as `to_arrow` would make it of the whole.

    The type that holds a column of Python's own values is that of the first part's, as it mostly is. Where a later part
    tells otherwise, all are gone through, and `write` is called again.
    """
    if not isinstance(frame, LargeFrame):
        table = to_arrow(frame, nested=nested)
        write(table.schema, iter([table]))
        return
    names = [str(name) for name in frame.columns if frame.none[name].dtype == object]
    first = next(iter(frame))
    forms = {name: _form(cells_of(first[name]), nested) for name in names}
    try:
        write(*_in_forms(frame, forms, {}, nested))
    except _OtherForm:
        forms = {name: _Form(nested=nested) for name in names}
        for part in frame:
            forms = {name: form.beside(_form(cells_of(part[name]), nested)) for name, form in forms.items()}
        odd = [name for name, form in forms.items() if form.undecided]
        held = {name: _array((cell for part in frame for cell in cells_of(part[name])), nested) for name in odd}
        write(*_in_forms(frame, forms, held, nested))


class _OtherForm(Exception):
    """A part's values need another form than those before."""


def _in_forms(
    frame: LargeFrame, forms: Mapping[str, _Form], held: Mapping[str, pa.Array], nested: bool
) -> tuple[pa.Schema, Iterator[pa.Table]]:
    """Return the schema of a frame whose columns of Python's values are of a form or held, and its parts."""
    types = {name: form.type for name, form in forms.items()} | {name: array.type for name, array in held.items()}
    schema = pa.schema(
        [(str(name), types.get(str(name)) or _arrow(frame.none[name], nested).type) for name in frame.columns]
    )

    def column(part: pd.DataFrame, name: str, begin: int) -> pa.Array:
        if name in held:
            return held[name].slice(begin, len(part))
        if name not in forms:
            return _arrow(part[name], nested)
        cells = list(cells_of(part[name]))
        if not forms[name].holds(_form(cells, nested)):
            raise _OtherForm
        return _formed(cells, forms[name])

    def tables() -> Iterator[pa.Table]:
        begin = 0
        for part in frame:
            yield pa.Table.from_arrays([column(part, name, begin) for name in schema.names], schema=schema)
            begin += len(part)

    return schema, tables()


def _arrow(column: pd.Series, nested: bool) -> pa.Array:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        utc, zone = column.dt.tz_convert("UTC").dt.tz_localize(None), str(column.dt.tz)
        if zone != "UTC" and not nested:  # the wall clock, and how far it is from UTC
            return pa.array([None if is_absent(time) else time.isoformat(" ") for time in column], pa.string())
        return pa.array(utc.to_numpy("datetime64[us]"), pa.timestamp("us", zone))
    if column.dtype.kind == "m":
        micros = column.to_numpy("timedelta64[us]")
        return pa.array(micros, pa.duration("us")) if nested else _array(cells_of(column), nested)
    return pa.Array.from_pandas(column) if column.dtype != object else _array(cells_of(column), nested)


@dataclass(frozen=True)
class _Form:
    """How Arrow holds Python's own values: what some of them tell, beside what others do."""

    kinds: frozenset[type] = frozenset()
    held: pa.DataType | None = None
    """The type that holds all values; None where that is text."""
    fields: Mapping[str, _Form] | None = None
    """Of dicts that become structs."""
    nested: bool = True
    inside: bool = False
    undecided: bool = False
    """Whether only all values together tell."""

    @property
    def type(self) -> pa.DataType:
        if self.fields:
            return pa.struct([(name, form.type) for name, form in self.fields.items()])
        return self.held or pa.string()

    def holds(self, other: _Form) -> bool:
        """Return whether values of another form, beside those of this one, are written as in this one."""
        both = self.beside(other)
        return not both.undecided and both._written == self._written

    @property
    def _written(self) -> Any:
        fields = {name: form._written for name, form in (self.fields or {}).items()}
        return self.held, list(fields.items()), self.inside and not fields and self.held is None and len(self.kinds) > 1

    def beside(self, other: _Form) -> _Form:
        """Return the form that holds the values of both."""
        if not self.kinds or not other.kinds:
            return other if not self.kinds else self
        both = replace(self, kinds=self.kinds | other.kinds, undecided=self.undecided or other.undecided)
        if both.kinds == {dict} and self.nested:
            mine, others = self.fields or {}, other.fields or {}
            names = dict.fromkeys([*mine, *others])
            fields = {name: mine.get(name, _Form()).beside(others.get(name, _Form())) for name in names}
            undecided = any(form.undecided for form in fields.values())
            return replace(both, fields=fields, undecided=both.undecided or undecided)
        if not _of_one_type(both.kinds, self.nested) or None in (self.held, other.held):
            return replace(both, held=None, fields=None)
        if self.held == other.held:
            return both
        if both.kinds == {Decimal}:
            decimals: list[Any] = [self.held, other.held]
            scale = max(each.scale for each in decimals)
            digits = max(each.precision - each.scale for each in decimals) + scale
            return replace(both, held=pa.decimal128(digits, scale) if digits <= _DIGITS else None)
        return replace(both, undecided=True)


def _of_one_type(kinds: frozenset[type] | set[type], nested: bool) -> bool:
    """Return whether a type of Arrow's may hold such values as they are."""
    return bool(kinds) and (
        kinds <= {int, Decimal} or kinds in ({bool}, {float}) or (nested and kinds in ({list}, {frozenset}, {bytes}))
    )


def _form(cells: Iterable[Any], nested: bool, inside: bool = False) -> _Form:
    values = _distinct(cells)[0]
    kinds = frozenset(map(type, values))
    fields: Mapping[str, _Form] | None = None
    held = None
    if nested and kinds == {dict}:
        names = dict.fromkeys(name for value in values for name in value)
        fields = {name: _form([value.get(name) for value in values], True, True) for name in names}
    elif _of_one_type(kinds, nested):
        held = _exactly(values)
        held = None if held is None else held.type
    undecided = any(form.undecided for form in (fields or {}).values())
    return _Form(kinds, held, fields, nested, inside, undecided)


def _formed(cells: Iterable[Any], form: _Form) -> pa.Array:
    """Return values as Arrow holds them in a form."""
    values, places = _distinct(cells)
    if form.fields:
        fields = [_formed([value.get(name) for value in values], each) for name, each in form.fields.items()]
        array: pa.Array = pa.StructArray.from_arrays(fields, list(form.fields)) if values else pa.nulls(0, form.type)
    elif form.held is not None:
        array = pa.array(list(map(_plain, values)), form.held, from_pandas=False)
    else:
        text = json_of if form.inside and len(form.kinds) > 1 else text_of
        array = pa.array(list(map(text, values)), pa.string())
    return array.take(places)


def _array(cells: Iterable[Any], nested: bool) -> pa.Array:
    cells = list(cells)
    return _formed(cells, _form(cells, nested))


def _distinct(cells: Iterable[Any]) -> tuple[list[Any], pa.Array]:
    """Return the objects there are, each once, and for every cell the place of its own, null where it is absent."""
    held = list(cells)  # until the end, so that no two objects have one id
    _, first, number = np.unique(np.fromiter(map(id, held), "int64", len(held)), return_index=True, return_inverse=True)
    values: list[Any] = []
    places: list[int | None] = [None] * len(first)
    for at in np.argsort(first).tolist():
        cell = held[first[at]]
        if cell is not None and not is_absent(cell):
            places[at] = len(values)
            values.append(cell)
    return values, pa.array(places, pa.int64()).take(pa.array(number))


def _exactly(values: Sequence[Any]) -> pa.Array | None:
    """Return values as Arrow holds them of itself; None where a reader would not get them back as they are."""
    plain = list(map(_plain, values))
    with suppress(pa.ArrowException, TypeError, OverflowError):  # elements of several types: JSON text holds them
        array = pa.array(plain, from_pandas=False)
        # What a reader would get otherwise: absent names as null, or more digits than a decimal of 38 holds.
        if array.to_pylist() == plain and not re.search("struct<>|decimal256", str(array.type)):
            return array
    return None


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def cells_of(column: pd.Series) -> Iterable[Any]:
    """Yield the values of a column as Python has them, durations as exact numbers of seconds."""
    if column.dtype.kind != "m":
        return column.astype(object)
    micros = column.to_numpy("timedelta64[us]")
    return [
        pd.NA if missing else Decimal(int(value)) / 1_000_000
        for value, missing in zip(micros.astype("int64"), np.isnat(micros), strict=True)
    ]


def text_of(value: Any) -> str:
    """Write a value as text: a text as it is, bytes as base64, all else as JSON has it.

    >>> text_of("a"), text_of(b"a"), text_of({"n": [1]})
    ('a', 'YQ==', '{"n":[1]}')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return str(value)
    return json_of(value)


def json_of(value: Any) -> str:
    """Write JSON with every digit of a Decimal, sets as sorted arrays, bytes as base64.

    >>> json_of([Decimal("1.10"), frozenset({"b", "a"}), b"a"])
    '[1.10,["a","b"],"YQ=="]'
    """
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{json_of(child)}" for key, child in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(json_of, value)) + "]"
    if isinstance(value, frozenset | set):
        return "[" + ",".join(map(json_of, sorted(value))) + "]"
    if isinstance(value, bytes):
        return json.dumps(base64.b64encode(value).decode())
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date):
        return json.dumps(value.isoformat())
    if isinstance(value, timedelta):
        return str(Decimal(value // timedelta(microseconds=1)) / 1_000_000)
    if hasattr(value, "item"):
        value = value.item()
    return json.dumps(value, ensure_ascii=False)
