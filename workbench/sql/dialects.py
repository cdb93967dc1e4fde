"""The questions' dialect, Athena's, in that of the embedded engine."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal

import sqlglot
from sqlglot import exp


@lru_cache(maxsize=512)
def to_duckdb(sql: str) -> str:
    """Write a query of Athena's in DuckDB's dialect."""
    return str(sqlglot.parse_one(sql, read="athena").transform(in_duckdb).sql(dialect="duckdb"))


def in_duckdb(node: Any) -> Any:
    """Mend what sqlglot leaves as it is: bytes are not counted by length, groups are not written $1."""
    if isinstance(node, exp.Length) and isinstance(node.this, exp.Encode):
        return exp.func("octet_length", node.this)
    if isinstance(node, exp.RegexpReplace):
        written = re.sub(r"\$(\d)", r"\\\1", node.args["replacement"].this)
        node.set("replacement", exp.Literal.string(written))
    return node


def written(tree: exp.Expr, dialect: Literal["athena", "duckdb"]) -> str:
    """Write a query that was bound by `workbench.sql.query` in a dialect, so that it means the same in each.

    >>> written(sqlglot.parse_one("select date_diff('day', a, b) from t", read="athena"), "duckdb")
    "SELECT DATE_SUB('day', a, b) FROM t"
    """
    return str(tree.transform(_as_duckdb if dialect == "duckdb" else _as_athena).sql(dialect=dialect, comments=False))


def _as_duckdb(node: Any) -> Any:
    """Mend what DuckDB answers otherwise than Athena where sqlglot leaves it as it is."""
    if isinstance(node, exp.DateDiff):  # complete units, not how often one begins in between
        parts = [exp.Literal.string(node.text("unit").lower()), node.expression, node.this]
        return exp.Anonymous(this="date_sub", expressions=parts)  # of that name sqlglot makes an interval taken off
    if isinstance(node, exp.SplitPart):  # NULL behind the last part
        split = exp.Split(this=node.this, expression=node.args["delimiter"])
        return exp.func("list_extract", split, node.args["part_index"])
    if isinstance(node, exp.RegexpExtract):  # NULL where nothing matches
        matches = exp.RegexpLike(this=node.this.copy(), expression=node.expression.copy())
        parts = [node.this, node.expression, node.args.get("group") or exp.Literal.number(0)]
        return exp.Case().when(matches, exp.Anonymous(this="regexp_extract", expressions=parts))
    if isinstance(node, exp.ArgMax | exp.ArgMin):  # the value is NULL where that of the greatest is
        name = "arg_max_null" if isinstance(node, exp.ArgMax) else "arg_min_null"
        return exp.Anonymous(this=name, expressions=[node.this, node.expression])
    if isinstance(node, exp.ArraySort):
        return exp.func("list_sort", node.this, exp.Literal.string("ASC"), exp.Literal.string("NULLS LAST"))
    return in_duckdb(node)


def _as_athena(node: Any) -> Any:
    """Write in Athena's words what the tree has in others."""
    if isinstance(node, exp.AtTimeZone) and isinstance(node.this, exp.AtTimeZone):  # the wall clock of a zone
        here = exp.func("with_timezone", node.this.this, node.this.args["zone"], dialect="trino")
        there = exp.Anonymous(this="at_timezone", expressions=[here, node.args["zone"]])
        return exp.cast(there, exp.DataType.build("timestamp(6)", dialect="trino"))
    return node
