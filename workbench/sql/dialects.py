"""The questions' dialect, Athena's, in that of the embedded engine."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

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
