"""Flattened columns put together again: one column a top-level attribute, its maps as dicts."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from operator import and_
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ParameterError
from workbench.model.attribute_paths import RESERVED, column_name, column_path
from workbench.questions.cells import is_absent


def nest(df: pd.DataFrame) -> pd.DataFrame:
    """Put flattened columns together again: one column a top-level attribute, its maps as dicts.

    An absent attribute is in no dict, NULL is None. Columns that are no part of a map stay as they are, and so
    do columns of which one holds a value where another has something under it.

    >>> nest(pd.DataFrame({"pk": ["a"], "person.age": [41], 'person."first.name"': ["Ann"]})).loc[0].to_list()
    ['a', {'age': 41, 'first.name': 'Ann'}]
    """
    paths_of = {name: _path(name) for name in df.columns}
    tops = {path[0] for path in paths_of.values() if len(path) > 1}
    columns: dict[Any, pd.Series] = {}
    for name, path in paths_of.items():
        if not path or path[0] not in tops:
            columns[name] = df[name]
        elif column_name(path[:1]) not in columns and name not in columns:
            group = {each: other for each, other in paths_of.items() if other[:1] == path[:1]}
            cells = {each: list(df[each].astype(object)) for each in group}
            columns |= (
                {each: df[each] for each in group}
                if _overlap(group, cells)
                else {column_name(path[:1]): _together(group, cells, df.index)}
            )
    return pd.DataFrame(columns, index=df.index)


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
