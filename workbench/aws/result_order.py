"""The order of a result: the files that UNLOAD writes keep none, so rows are sorted after they are read.

>>> in_order(pa.table({"city": ["Oslo", "Berlin"]}), "select city from orders order by city").to_pydict()
{'city': ['Berlin', 'Oslo']}
"""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp


def in_order(rows: pa.Table, sql: str) -> pa.Table:
    """Put rows into the order that the text of their query asks for, as far as columns of the result tell it.

    Nulls come last, as in Athena. Where the text orders by an expression, the rows are returned as they are.

    >>> rows = pa.table({"city": ["Oslo", "Berlin"], "total": [1, 20]})
    >>> in_order(rows, "select city, sum(x) as total from orders group by 1 order by 2 desc").to_pydict()
    {'city': ['Berlin', 'Oslo'], 'total': [20, 1]}
    """
    keys = [
        (rows.column_names[column - 1] if isinstance(column, int) else column, direction)
        for column, direction in _order_of(sql)
    ]
    if not keys or not len(rows) or not {column for column, _ in keys} <= set(rows.column_names):
        return rows
    return rows.take(pc.sort_indices(rows, sort_keys=keys))


@lru_cache(maxsize=256)
def _order_of(sql: str) -> tuple[tuple[int | str, str], ...]:
    """Return by which columns a result is ordered, each with its direction: numbers from 1, or names, '' of none."""
    order = sqlglot.parse_one(sql, read="athena").args.get("order")
    return tuple(
        (_column(ordered.this), "descending" if ordered.args.get("desc") else "ascending")
        for ordered in (order.expressions if order else ())
    )


def _column(key: exp.Expression) -> int | str:
    if isinstance(key, exp.Literal):
        return int(key.this)
    return key.name if isinstance(key, exp.Column) else ""
