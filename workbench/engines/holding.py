"""Of which rows of an answer DuckDB can tell that a condition holds, so that not each must be asked in Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.engines.images import FEW, as_texts, connected
from workbench.model.conditions import Condition
from workbench.sql.conditions import surely
from workbench.sql.dialects import to_duckdb


def surely_holding(
    rows: pa.Table, condition: Condition, new: str, old: str | None = None, *, threads: int | None = None
) -> Any:
    """Return for each row whether a condition surely holds: not where numbers are as near as doubles, nor of binary.

    Parameters
    ----------
    rows
        Changes or items, as an engine answers; of few rows nothing is sure.
    new, old
        The columns of images, DynamoDB JSON texts; without `old` there is one image.
    threads
        Of DuckDB; without it, one a core.

    >>> from workbench.model.conditions import parse
    >>> rows = pa.table({"image": ['{"age":{"N":"41"}}', '{"age":{"N":"40"}}'] * 500})
    >>> surely_holding(rows, parse("age > 40"), "image")[:2].tolist()
    [True, False]
    """
    if len(rows) < FEW:
        return np.zeros(len(rows), dtype=bool)
    import duckdb

    for name in (new, old):
        if name:
            rows = rows.set_column(rows.schema.get_field_index(name), name, as_texts(rows.column(name)))
    sql = to_duckdb(f"select {surely(condition, new=new, old=old)} as sure from answer")
    connection = connected(threads)
    try:
        connection.register("answer", rows)
        return np.array(pc.fill_null(connection.sql(sql).to_arrow_table().column("sure"), False))
    except duckdb.Error:  # an image is no JSON: who asks of each says which
        return np.zeros(len(rows), dtype=bool)
    finally:
        connection.close()
