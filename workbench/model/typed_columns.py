"""The values of one attribute, as Arrow has their JSON texts by type, in one typed pandas column.

It is the column that `workbench.model.attributes.frame` makes of the same values, made without a Python call a value
where they are texts, numbers or booleans; of sets, lists and binary each different text is read once.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import RecordRefused
from workbench.model.attributes import Numbers, without_gc
from workbench.model.canonical import PYTHON_TYPES, canonical_number
from workbench.model.items import exact_number, plain_value

_PLAIN = np.isin(np.arange(256), np.frombuffer(b"0123456789.-", dtype=np.uint8))
_SURE = 15  # digits: so many survive the way into a double and back, whatever they are (C's DBL_DIG)


def typed_column(texts: Mapping[str, pa.ChunkedArray], rows: int, numbers: Numbers = "auto") -> pd.Series:
    """Return one attribute's values as `workbench.model.attributes.frame` has them.

    Parameters
    ----------
    texts
        By type, one value a row as JSON text, null where the attribute is absent or of another type.
    rows
        How many there are.

    Raises
    ------
    RecordRefused
        Where a text is no value of its type.

    >>> typed_column({"N": pa.chunked_array([['"1"', None, '"2.50"']])}, 3).tolist()
    [1.0, nan, 2.5]
    """
    if len(texts) <= 1:
        kind, written = next(iter(texts.items()), ("S", pa.chunked_array([pa.nulls(rows, pa.large_string())])))
        if kind == "S":
            unquoted = unquote(written).cast(pa.large_string())
            return pd.Series(pd.arrays.ArrowStringArray(unquoted)).astype("string")
        if kind == "BOOL":
            there = written.is_valid().to_numpy()
            values = pc.fill_null(pc.equal(written, "true"), False).to_numpy()
            return pd.Series(pd.arrays.BooleanArray(values, ~there))
        if kind == "N" and numbers == "auto":
            return number_column(unquote(written))
    merged = np.full(rows, pd.NA, dtype=object)
    for kind, written in texts.items():
        read = exact_number if kind == "N" and numbers == "auto" else _decimal
        merged[written.is_valid().to_numpy()] = values_of(kind, written.drop_null(), read)
    return pd.Series(merged, dtype=object)


def unquote(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    r"""Return the texts that JSON texts stand for.

    >>> unquote(pa.chunked_array([['"a"', None, '"\\n"']])).to_pylist()
    ['a', None, '\n']
    """
    return pa.chunked_array([_unquoted(chunk) for chunk in texts.chunks], texts.type)


def encoded(texts: pa.ChunkedArray) -> tuple[Any, pa.Array]:
    """Return for each text the number of it among the different ones, and these; there is no null.

    >>> codes, different = encoded(pa.chunked_array([["b", "a"], ["b"]]))
    >>> codes.tolist(), different.to_pylist()
    ([0, 1, 0], ['b', 'a'])
    """
    numbered = texts.dictionary_encode().unify_dictionaries()
    if not numbered.num_chunks:
        return np.empty(0, dtype="int64"), pa.array([], texts.type)
    return np.concatenate([chunk.indices.to_numpy() for chunk in numbered.chunks]), numbered.chunk(0).dictionary


def _unquoted(texts: pa.Array) -> pa.Array:
    large = pa.types.is_large_string(texts.type)
    bare = pc.binary_slice(texts.cast(pa.large_binary() if large else pa.binary()), 1, -1).cast(texts.type)
    escaped = pc.match_substring(texts, "\\")
    if pc.any(escaped).as_py():
        read = _loaded(texts.filter(escaped))
        bare = pc.replace_with_mask(bare, escaped.fill_null(False), pa.array(read, texts.type))
    return bare


def _loaded(texts: pa.Array) -> list[Any]:
    """Parse JSON texts, all at once."""
    with without_gc():
        values: list[Any] = orjson.loads(f"[{','.join(texts.to_pylist())}]")
    return values


def _decimal(text: str) -> Decimal:
    return Decimal(canonical_number(text))


def values_of(kind: str, texts: pa.ChunkedArray, number: Callable[[str], Any]) -> Any:
    """Return the values of JSON texts without nulls, each different one read once; no two cells share a list or map.

    Raises
    ------
    RecordRefused
        Where a text is no value of the type.

    >>> values_of("SS", pa.chunked_array([['["a"]']]), int).tolist()
    [frozenset({'a'})]
    """
    if kind == "M":
        return _array([{} for _ in range(len(texts))])
    if kind == "S":
        return _array(unquote(texts).to_pylist())
    codes, different = encoded(texts)
    values = _loaded(different)
    if {*map(type, values)} - {PYTHON_TYPES.get(kind)}:
        raise RecordRefused(f"an image is not DynamoDB JSON: an attribute of type {kind!r} holds another type")
    try:
        if kind == "N":
            values = [number(value) for value in values]
        elif kind == "B":
            values = [base64.b64decode(value, validate=True) for value in values]
        else:
            with without_gc():
                values = [plain_value({kind: value}) for value in values]
    except (AttributeError, TypeError, ValueError, KeyError):
        raise RecordRefused(f"an image is not DynamoDB JSON: within type {kind!r}") from None
    cells = _array(values)[codes]
    if kind == "L":
        again = np.ones(len(codes), dtype=bool)
        again[np.unique(codes, return_index=True)[1]] = False
        cells[again] = _array([_copied(cell) for cell in cells[again]])
    return cells


def _array(values: list[Any]) -> Any:
    """Make a one-dimensional array of objects, also of lists of equal length."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return {name: _copied(each) for name, each in value.items()} if isinstance(value, dict) else value


def number_column(texts: pa.ChunkedArray) -> pd.Series:
    """Choose the narrowest of Int64, float64 and Decimal that holds every number exactly.

    >>> number_column(pa.chunked_array([["1", None]])).dtype, number_column(pa.chunked_array([["1", "1.5"]])).dtype
    (Int64Dtype(), dtype('float64'))
    """
    there = texts.is_valid().to_numpy()
    try:
        integers = pc.cast(texts, pa.int64())
    except pa.ArrowInvalid:
        integers = None
    if integers is not None and not pc.any(pc.match_substring(texts, "x", ignore_case=True)).as_py():  # 0x10 is none
        return _masked(integers.fill_null(0).to_numpy(), there)
    floats, sure = _floats(texts)
    codes, different = encoded(texts.filter(pa.array(there & ~sure)))
    others = [_decimal(text) for text in different.to_pylist()]
    whole = np.floor(floats) == floats
    if whole[sure].all() and all(
        number == number.to_integral_value() and -(2**63) <= number < 2**63 for number in others
    ):
        values = np.zeros(len(texts), dtype="int64")
        values[sure] = floats[sure].astype("int64")
        values[there & ~sure] = np.array([int(number) for number in others], dtype="int64")[codes]
        return _masked(values, there)
    doubles = [float(number) for number in others]
    if all(Decimal(repr(value)) == number for value, number in zip(doubles, others, strict=True)):
        floats[there & ~sure] = np.array(doubles, dtype="float64")[codes]
        return pd.Series(floats)
    exact = np.full(len(texts), pd.NA, dtype=object)
    codes, different = encoded(texts.drop_null())
    exact[there] = _array([_decimal(text) for text in different.to_pylist()])[codes]
    return pd.Series(exact, dtype=object)


def _floats(texts: pa.ChunkedArray) -> tuple[Any, Any]:
    """Return numbers as doubles, NaN where there is none, and which of these surely are the numbers written.

    These are written without exponent, with a few digits only, or as the double itself is written; those of them that
    are whole are below 2⁵³.
    """
    plain = np.concatenate([_is_plain(chunk) for chunk in texts.chunks])
    try:
        read = pc.cast(pc.if_else(pa.array(plain), texts, None), pa.float64())
    except pa.ArrowInvalid:  # 1.2.3
        return np.full(len(texts), np.nan), np.zeros(len(texts), dtype=bool)
    floats = read.to_numpy() + 0.0  # -0 is 0
    few = pc.less_equal(pc.binary_length(texts), _SURE).fill_null(False).to_numpy()
    sure = plain & few
    long = plain & ~few & (np.floor(floats) != floats)
    if long.any():
        written = texts.filter(pa.array(long))
        sure[long] = pc.equal(pc.cast(read.filter(pa.array(long)), written.type), written).to_numpy()
    return floats, sure


def _is_plain(texts: pa.Array) -> Any:
    """Tell which texts are made of digits, points and minus signs alone."""
    there = texts.is_valid().to_numpy(zero_copy_only=False)
    filled = texts.fill_null("")
    odd = ~_PLAIN[np.frombuffer(filled.buffers()[2] or b"", dtype=np.uint8)]
    if not odd.any():
        return there
    begins = np.frombuffer(filled.buffers()[1], dtype="int64" if pa.types.is_large_string(texts.type) else "int32")
    begins = begins[filled.offset : filled.offset + len(filled) + 1]
    counts = np.concatenate([[0], np.cumsum(odd)])
    return there & (counts[begins[1:]] == counts[begins[:-1]])


def _masked(integers: Any, there: Any) -> pd.Series:
    return pd.Series(pd.arrays.IntegerArray(integers, ~there))
