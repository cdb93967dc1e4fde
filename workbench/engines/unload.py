"""Results of Athena's as those of the embedded engine: their columns and types.

Files that UNLOAD writes keep no microseconds; so times travel as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from workbench.engines.ingest import register_functions
from workbench.model.records import COLUMN_TYPES
from workbench.sql.dialects import to_duckdb
from workbench.sql.questions import Question


def answer_over_nothing(meant: Question, values: Mapping[str, object]) -> pa.Table:
    """Return what DuckDB answers over a log without changes: the columns and types of every answer, and its rows."""
    return _over_no_deliveries(to_duckdb(meant.compose(values, deliveries="deliveries")))


@lru_cache(maxsize=256)
def _over_no_deliveries(text: str) -> pa.Table:
    with duckdb.connect(config={"integer_division": True}) as con:
        register_functions(con)
        kinds = {**COLUMN_TYPES, "arrival": "timestamp"}
        con.execute(f"create table deliveries ({', '.join(f'{name} {kind}' for name, kind in kinds.items())})")
        return con.sql(text).to_arrow_table()


def with_times_as_text(text: str, schema: pa.Schema) -> str:
    """Cast times to text, in which Parquet files of Athena's keep their microseconds."""
    columns = [
        f"cast({name} as varchar) as {name}" if pa.types.is_timestamp(kind) else name
        for name, kind in zip(schema.names, schema.types, strict=True)
    ]
    return f"select {', '.join(columns)}\nfrom (\n{text}\n) as answer"


def with_types(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give columns the types of the embedded engine; digests, which Athena has as bytes, stay what they are."""
    columns = []
    for each in schema:
        column = rows.column(each.name)
        if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
            column = pc.cast(column, each.type)
        columns.append(column)
    return pa.table(columns, names=schema.names)
