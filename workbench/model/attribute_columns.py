"""One attribute's values, seen some at a time and kept in little room until all have told what column they make.

The column is that of `workbench.model.typed_columns.typed_column` of all its values, made of any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.model.attributes import Numbers
from workbench.model.canonical import canonical_number
from workbench.model.items import exact_number
from workbench.model.typed_columns import number_column, unquote, values_of

_EXACT = 2**53  # up to here every integer is a double
FORMS: Mapping[str, pa.DataType] = {
    "text": pa.string(),
    "flag": pa.bool_(),
    "integer": pa.int64(),
    "double": pa.float64(),
    "number": pa.string(),
    "json": pa.string(),
}
"""How values are kept: S as texts, BOOL as flags, N as the narrowest that holds them, all others as JSON."""


@dataclass
class Attribute:
    """What is known of an attribute's values.

    >>> attribute = Attribute()
    >>> some, others = (attribute.keep("N", pa.chunked_array([[text]])) for text in ('"1"', '"1.5"'))
    >>> attribute.column({("N", some[0]): some[1]}, 1).tolist()
    [1.0]
    """

    numbers: Numbers = "auto"
    kinds: set[str] = field(default_factory=set)
    """The types there are."""
    integers: bool = True
    """Whether every number is an integer of 64 bits."""
    doubles: bool = True
    """Whether every number survives the way into a double and back."""

    def keep(self, kind: str, written: pa.ChunkedArray) -> tuple[str, pa.ChunkedArray]:
        """Take in values of a type, and return one of `FORMS`, and them in it.

        Parameters
        ----------
        written
            JSON texts, null where the attribute is absent or of another type.

        Raises
        ------
        RecordRefused
            Where a text is no value of its type.
        """
        self.kinds.add(kind)
        if kind == "S":
            return "text", unquote(written)
        if kind == "BOOL":
            return "flag", pc.equal(written, "true")
        if kind == "N" and self.numbers == "auto":
            return self._keep_numbers(unquote(written))
        values_of(kind, pa.chunked_array([pc.unique(written.drop_null())]), _decimal)
        return ("number", unquote(written)) if kind == "N" else ("json", written)

    def column(self, kept: Mapping[tuple[str, str], pa.ChunkedArray], rows: int) -> pd.Series:
        """Return the column of some of the values.

        Parameters
        ----------
        kept
            By type and form; all there are of these rows.
        rows
            How many there are.
        """
        kind = next(iter(self.kinds), "S") if len(self.kinds) <= 1 else ""
        if kind == "S":
            texts = kept.get(("S", "text"), pa.chunked_array([pa.nulls(rows, pa.string())]))
            string: Any = pd.StringDtype()  # whose __from_arrow__ is pandas' own for extension types
            return pd.Series(string.__from_arrow__(texts.cast(pa.large_string())))
        if kind == "BOOL":
            flags = kept.get(("BOOL", "flag"), pa.chunked_array([pa.nulls(rows, pa.bool_())]))
            values = flags.fill_null(False).to_numpy()
            return pd.Series(pd.arrays.BooleanArray(values, flags.is_null().to_numpy()))
        if kind == "N" and self.numbers == "auto" and self.integers:
            integers = kept.get(("N", "integer"), pa.chunked_array([pa.nulls(rows, pa.int64())]))
            missing = integers.is_null().to_numpy()
            return pd.Series(pd.arrays.IntegerArray(integers.fill_null(0).to_numpy().copy(), missing))
        if kind == "N" and self.numbers == "auto" and self.doubles:
            return pd.Series(self._doubles(kept, rows))
        cells = np.full(rows, pd.NA, dtype=object)
        for (of_kind, form), values in kept.items():
            there = values.is_valid().to_numpy()
            cells[there] = self._cells(of_kind, form, values.drop_null(), whole=not kind)
        return pd.Series(cells, dtype=object)

    def _keep_numbers(self, texts: pa.ChunkedArray) -> tuple[str, pa.ChunkedArray]:
        column = number_column(texts)
        if column.dtype == "Int64":
            if self.doubles and len(column):
                large = column[(column < -_EXACT) | (column > _EXACT)]
                self.doubles = all(Decimal(repr(float(each))) == int(each) for each in large.dropna())
            return "integer", pa.chunked_array([pa.array(column)])
        self.integers = False
        if column.dtype == "float64":
            return "double", pa.chunked_array([pa.array(column, from_pandas=True)])
        self.doubles = False
        return "number", texts

    def _doubles(self, kept: Mapping[tuple[str, str], pa.ChunkedArray], rows: int) -> Any:
        column = np.full(rows, np.nan)
        for values in kept.values():
            there = values.is_valid().to_numpy()
            column[there] = values.drop_null().to_numpy()
        return column

    def _cells(self, kind: str, form: str, values: pa.ChunkedArray, *, whole: bool) -> Any:
        """Return values as Python has them; beside other types an integer is one, else every number is a Decimal."""
        number = exact_number if whole and self.numbers == "auto" else _decimal
        if form in ("text", "flag"):
            return _objects(values.to_pylist())
        if form in ("integer", "double", "number"):
            return _objects([number(text if form == "number" else repr(text)) for text in values.to_pylist()])
        return values_of(kind, values, number)


def _decimal(text: str) -> Decimal:
    return Decimal(canonical_number(text))


def _objects(values: list[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
