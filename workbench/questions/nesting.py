"""Flattened columns put together again: one column a top-level attribute, its maps as dicts."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from itertools import permutations
from operator import and_
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ParameterError
from workbench.model.attribute_paths import RESERVED, column_name, column_path
from workbench.questions.cells import is_absent
from workbench.questions.large import Frame, LargeFrame


def nest_parts(frame: Frame) -> Frame:
    """Put the columns of a frame together again as `nest` would those of the whole."""
    if not isinstance(frame, LargeFrame):
        return nest(frame)
    apart = frozenset[str]().union(*map(_apart, frame))
    return frame.map(lambda part: _nested(part, apart))


def nest(df: pd.DataFrame) -> pd.DataFrame:
    """Put flattened columns together again: one column a top-level attribute, its maps as dicts.

    An absent attribute is in no dict, NULL is None. Columns that are no part of a map stay as they are, and so
    do columns of which one holds a value where another has something under it.

    >>> nest(pd.DataFrame({"pk": ["a"], "person.age": [41], 'person."first.name"': ["Ann"]})).loc[0].to_list()
    ['a', {'age': 41, 'first.name': 'Ann'}]
    """
    return _nested(df, _apart(df))


def _apart(df: pd.DataFrame) -> frozenset[str]:
    """Return the attributes whose columns cannot be put together: one holds a value where another does under it."""
    return frozenset(top for top, group in _groups(df).items() if _overlap(group, _cells(df, group)))


def _nested(df: pd.DataFrame, apart: Container[str]) -> pd.DataFrame:
    groups = {top: group for top, group in _groups(df).items() if top not in apart}
    top_of = {name: top for top, group in groups.items() for name in group}
    columns: dict[Any, pd.Series] = {}
    for name in df.columns:
        top = top_of.get(name)
        if top is None:
            columns[name] = df[name]
        elif column_name((top,)) not in columns:
            columns[column_name((top,))] = _together(groups[top], _cells(df, groups[top]), df.index)
    return pd.DataFrame(columns, index=df.index)


def _groups(df: pd.DataFrame) -> dict[str, dict[Any, tuple[str, ...]]]:
    """Return the columns that belong to one map each, with their paths, by the map's name."""
    paths_of = {name: _path(name) for name in df.columns}
    tops = dict.fromkeys(path[0] for path in paths_of.values() if len(path) > 1)
    return {top: {name: path for name, path in paths_of.items() if path[:1] == (top,)} for top in tops}


def _cells(df: pd.DataFrame, group: Iterable[Any]) -> dict[Any, list[Any]]:
    return {name: list(df[name].astype(object)) for name in group}


def _path(name: Any) -> tuple[str, ...]:
    try:
        return () if name in RESERVED else column_path(str(name))
    except ParameterError:
        return ()


def _overlap(paths: Mapping[str, tuple[str, ...]], cells: Mapping[str, list[Any]]) -> bool:
    """Return whether a row has a value in one column and under it in another."""
    filled = {name: [not is_absent(value) for value in values] for name, values in cells.items()}
    pairs = ((one, other) for one, other in permutations(paths, 2) if paths[other][: len(paths[one])] == paths[one])
    return any(any(map(and_, filled[one], filled[other])) for one, other in pairs)


def _together(paths: Mapping[str, tuple[str, ...]], cells: Mapping[str, list[Any]], index: pd.Index) -> pd.Series:
    rows = np.full(len(index), pd.NA, dtype=object)
    for name, (_, *parents) in paths.items():
        for at, value in enumerate(cells[name]):
            if is_absent(value):
                continue
            if not parents:
                rows[at] = value
                continue
            target = rows[at] = {} if rows[at] is pd.NA else rows[at]
            for parent in parents[:-1]:
                target = target.setdefault(parent, {})
            target[parents[-1]] = value
    return pd.Series(rows, index, dtype=object)
