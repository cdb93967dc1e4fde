"""What differs between two states of a table, attribute by attribute: the frame of `diff` and of `reconcile`."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa

from workbench.engines.comparison import CHANGES, Comparer
from workbench.errors import RecordRefused
from workbench.model import attribute_paths
from workbench.model.canonical import PYTHON_TYPES
from workbench.model.items import plain_value
from workbench.model.keys import key_order
from workbench.model.typed_columns import encoded
from workbench.questions.columns import COMPARISON
from workbench.questions.frames import key_frame

path_text: Callable[[tuple[str | int, ...]], str] = lru_cache(maxsize=10_000)(attribute_paths.column_name)
_KINDS = [*PYTHON_TYPES]
_ABSENT = -1
_ONE_SIDED = [CHANGES.index(change) for change in ("added", "removed")]


def compare(
    one: Mapping[str, str],
    other: Mapping[str, str],
    keys: Sequence[str],
    names: tuple[str, str, str],
    in_flight: Container[str] = (),
    *,
    of_keys: bool = False,
    threads: int | None = None,
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return how the items of one state differ from those of another, one row an attribute, and how many do.

    Parameters
    ----------
    one, other
        The items' images by their keys, as DynamoDB JSON texts.
    names
        What an item is called that only the other has, that only the one has, and that both have otherwise.
    in_flight
        Keys of items that are called ``in flight`` instead.
    of_keys
        Whether to tell of attributes that are called like those of the key: where these are in no image.
    threads
        Of DuckDB; without it, one a core.

    Raises
    ------
    RecordRefused
        Where an image is not DynamoDB JSON.

    Examples
    --------
    >>> one, other = {'{"pk":{"S":"a"}}': '{"n":{"N":"1"}}'}, {'{"pk":{"S":"a"}}': '{"n":{"N":"2"}}'}
    >>> df, items = compare(one, other, ["pk"], ("added", "removed", "changed"))
    >>> df[["pk", "item", "path", "before", "after"]].to_dict("records"), items["changed"]
    ([{'pk': 'a', 'item': 'changed', 'path': 'n', 'before': 1, 'after': 2}], 1)
    """
    called = [*names, *(["in flight"] if in_flight else [])]
    alike = {key for key, image in one.items() if other.get(key) == image}
    listed = sorted((one.keys() | other.keys()) - alike, key=key_order)
    texts = [pa.array([state.get(key) for key in listed], pa.large_string()) for state in (one, other)]
    there = [side.is_valid().to_numpy(zero_copy_only=False) for side in texts]
    with Comparer(threads=threads) as comparer:
        found = comparer.compare(*(pa.chunked_array([side]) for side in texts), values=True)
    assert found.before is not None
    assert found.after is not None
    tops = [] if of_keys else [path[0] for path in found.names]
    shown = ~_of_keys(listed, found.pairs, found.paths, tops) if tops else np.ones(len(found.pairs), dtype=bool)
    differs = np.zeros(len(listed), dtype=bool)
    differs[found.pairs[shown]] = True
    bare = np.flatnonzero(~differs & ~(there[0] & there[1]))  # nothing but its key came, or went
    number = np.where(~there[0], 0, np.where(~there[1], 1, 2))
    if in_flight:
        number[[key in in_flight for key in listed]] = len(names)
    counts = np.bincount(number[differs | ~(there[0] & there[1])], minlength=len(called))
    items = dict(zip(called, counts.tolist(), strict=True)) | {"same": len(alike) + len(listed) - int(counts.sum())}

    pairs = np.concatenate([found.pairs[shown], bare])
    order = np.argsort(pairs, kind="stable")
    pairs = pairs[order]
    df = key_frame(pa.chunked_array([pa.array(listed, pa.large_string()).take(pa.array(pairs))]), keys, COMPARISON)
    df["item"] = _strings(called, number[pairs]).astype("str")

    def in_rows(column: Any, absent: Any) -> Any:
        """Put what is told of differences in the order of the rows, some of which are of none."""
        return np.concatenate([column[shown], np.full(len(bare), absent, dtype=column.dtype)])[order]

    (before, before_kinds), (after, after_kinds) = (_values(side) for side in (found.before, found.after))
    both_sides = ~np.isin(found.changes, _ONE_SIDED)  # members of a set come, or go: it is one of that type before, too
    left = np.where(both_sides & (before_kinds == _ABSENT), after_kinds, before_kinds)
    right = np.where(both_sides & (after_kinds == _ABSENT), before_kinds, after_kinds)
    df["path"] = _strings([path_text(path) for path in found.names], in_rows(found.paths, _ABSENT))
    df["change"] = _strings(CHANGES, in_rows(found.changes, _ABSENT))
    df["before"], df["after"] = (pd.Series(in_rows(cells, pd.NA), dtype=object) for cells in (before, after))
    df["before_type"], df["after_type"] = (_strings(_KINDS, in_rows(kinds, _ABSENT)) for kinds in (left, right))
    return df, items


def _of_keys(keys: Sequence[str], pairs: np.ndarray, paths: np.ndarray, tops: Sequence[str | int]) -> np.ndarray:
    """Tell which differences are of attributes of their item's key: a table made again may have had others."""
    schemas: dict[tuple[str, ...], int] = {}
    of_item = np.array([schemas.setdefault(tuple(orjson.loads(key)), len(schemas)) for key in keys], dtype="int64")
    hidden = np.array([[top in schema for top in tops] for schema in schemas], dtype=bool)
    hidden = hidden.reshape(len(schemas), len(tops))
    told: np.ndarray = hidden[of_item[pairs], paths]
    return told


def _values(texts: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return DynamoDB JSON values in Python, no two of them one list, and the places of their types in `_KINDS`."""
    codes, different = encoded(texts.drop_null())
    try:
        read = orjson.loads(f"[{','.join(different.to_pylist())}]")
        kinds = np.array([_KINDS.index(kind) for value in read for kind in value], dtype="int64")
        values = np.empty(len(read), dtype=object)
        values[:] = [plain_value(value) for value in read]
    except (AttributeError, TypeError, ValueError, KeyError):
        raise RecordRefused("an image is not DynamoDB JSON") from None
    of_rows = values[codes]
    shared = np.array([isinstance(value, list | dict) for value in values], dtype=bool)[codes]
    shared[np.unique(codes, return_index=True)[1]] = False
    for at in np.flatnonzero(shared):
        of_rows[at] = deepcopy(of_rows[at])
    there = texts.is_valid().to_numpy()
    cells, places = np.full(len(texts), pd.NA, dtype=object), np.full(len(texts), _ABSENT, dtype="int64")
    cells[there], places[there] = of_rows, kinds[codes]
    return cells, places


def _strings(texts: Sequence[str], numbers: np.ndarray) -> pd.Series:
    """Return texts by their numbers; `_ABSENT` is none."""
    string: Any = pd.StringDtype()
    taken = pa.array(texts, pa.large_string()).take(pa.array(numbers, mask=numbers == _ABSENT))
    return pd.Series(string.__from_arrow__(taken))
