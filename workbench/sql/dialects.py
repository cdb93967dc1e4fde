"""The questions' dialect, Athena's, in that of the embedded engine."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal

import sqlglot
from sqlglot import exp

_INSTANT = re.compile(r"(?<=timestamp ')\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}(?=')")
"""An instant in a query, as `workbench.sql.literals.literal` writes it."""
_STAND_IN = "7777-07-07 07:07:07."


def to_duckdb(sql: str) -> str:
    """Write a query of Athena's in DuckDB's dialect; queries that differ by instants alone are translated once.

    >>> to_duckdb("select ts < timestamp '2026-01-02 03:04:05.000006' from log")
    "SELECT ts < CAST('2026-01-02 03:04:05.000006' AS TIMESTAMP(6)) FROM log"
    """
    if _STAND_IN in sql:
        return _in_duckdb(sql)
    stand_ins: dict[str, str] = {}
    text = _INSTANT.sub(lambda found: stand_ins.setdefault(found[0], f"{_STAND_IN}{len(stand_ins):06}"), sql)
    written = _in_duckdb(text)
    for instant, stand_in in stand_ins.items():
        written = written.replace(stand_in, instant)
    return written


@lru_cache(maxsize=512)
def _in_duckdb(sql: str) -> str:
    return str(sqlglot.parse_one(sql, read="athena").transform(in_duckdb).sql(dialect="duckdb"))


def in_duckdb(node: Any) -> Any:
    """Mend what sqlglot leaves as it is: bytes are not counted by length, groups are not written $1."""
    if isinstance(node, exp.Length) and isinstance(node.this, exp.Encode):
        return exp.func("octet_length", node.this)
    if isinstance(node, exp.RegexpReplace):
        written = re.sub(r"\$(\d)", r"\\\1", node.args["replacement"].this)
        node.set("replacement", exp.Literal.string(written))
    return node


_TIMESTAMP = exp.DataType.build("timestamp(6)", dialect="trino")
MICROSECONDS = "%Y-%m-%d %H:%M:%S.%f"
"""The format of a timestamp as text, as Athena casts it."""
_BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a"
    "\u2028\u2029\u205f\u3000"
)
"""What Trino's trim takes for white space."""
_MOST_SIGNS = 2**32 - 1  # that DuckDB takes a part of a text of


def written(tree: exp.Expr, dialect: Literal["athena", "duckdb"]) -> str:
    """Write a query that was bound by `workbench.sql.query` in a dialect, so that it means the same in each.

    >>> written(sqlglot.parse_one("select date_diff('day', a, b) from t", read="athena"), "duckdb")
    "SELECT DATE_SUB('day', DATE_TRUNC('millisecond', a), DATE_TRUNC('millisecond', b)) FROM t"
    """
    mend = _as_duckdb if dialect == "duckdb" else _as_athena
    tree = tree.copy()
    for node in reversed(list(tree.walk())):  # what is within first, which may come to stand elsewhere
        mended = mend(node)
        if mended is not node:
            node.replace(mended)
            tree = mended if node is tree else tree
    return str(tree.sql(dialect=dialect, comments=False))


def _as_duckdb(node: Any) -> Any:
    """Mend what DuckDB answers otherwise than Athena where sqlglot leaves it as it is."""
    match node:
        case exp.DateDiff():  # complete units, not how often one begins in between; of milliseconds, as Athena does
            milli, unit = exp.Literal.string("millisecond"), exp.Literal.string(node.text("unit").lower())
            first, last = (_call("date_trunc", milli.copy(), each) for each in (node.expression, node.this))
            return _call("date_sub", unit, first, last)
        case exp.SplitPart():  # NULL behind the last part
            split = exp.Split(this=node.this, expression=node.args["delimiter"])
            return _call("list_extract", split, node.args["part_index"])
        case exp.RegexpExtract():  # NULL where nothing matches
            matches = exp.RegexpLike(this=node.this.copy(), expression=node.expression.copy())
            group = node.args.get("group") or exp.Literal.number(0)
            return exp.Case().when(matches, _call("regexp_extract", node.this, node.expression, group))
        case exp.CountIf():  # 0 where nothing is counted
            return exp.Count(this=exp.Case().when(node.this, exp.Literal.number(1)))
        case exp.ArgMax():  # the value is NULL where that of the greatest is
            return _call("arg_max_null", node.this, node.expression)
        case exp.ArgMin():
            return _call("arg_min_null", node.this, node.expression)
        case exp.ArraySort():
            return _call("list_sort", node.this, exp.Literal.string("ASC"), exp.Literal.string("NULLS LAST"))
        case exp.ArrayMax() | exp.ArrayMin():  # NULL where an element is
            found = _call("list_max" if isinstance(node, exp.ArrayMax) else "list_min", node.this)
            return exp.Case().when(_without_nulls(node.this), found)
        case exp.ArrayContains():  # NULL where an element is that may be it
            holds = _call("list_contains", node.this.copy(), node.expression.copy())
            none = exp.and_(node.expression.copy().is_(exp.null()).not_(), _without_nulls(node.this))
            return exp.Case().when(holds, exp.true()).when(none, exp.false())
        case exp.Upper():  # ß has no capital
            parts = exp.Split(this=node.this, expression=exp.Literal.string("ß"))
            each = exp.Lambda(this=_call("upper", exp.to_identifier("part")), expressions=[exp.to_identifier("part")])
            capitals = exp.Transform(this=parts, expression=each)
            return _call("array_to_string", capitals, exp.Literal.string("ß"))
        case exp.Trim() if not node.expression:
            node.set("expression", exp.Literal.string(_BLANKS))
        case exp.Substring():
            return _substring(node)
        case exp.FromISO8601Timestamp():
            return exp.cast(exp.cast(node.this, "timestamptz"), "timestamp(6)", dialect="trino")
    return in_duckdb(node)


def _call(name: str, *given: Any) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(given))


def _without_nulls(array: Any) -> Any:
    return exp.EQ(this=_call("list_count", array.copy()), expression=_call("len", array.copy()))


def _substring(node: Any) -> Any:
    """Write what is left of a text: nothing from before its beginning, or of a negative length."""
    text, start, length = node.this, node.args["start"], node.args.get("length")
    if length is not None and not isinstance(length, exp.Literal):
        most = exp.Literal.number(_MOST_SIGNS)
        length = exp.Case().when(length < 0, exp.Literal.number(0)).when(length > most, most.copy()).else_(length)
    part = _call("substr", text, start, *([length] if length is not None else []))
    if isinstance(start, exp.Literal) and 0 < int(start.this) <= _MOST_SIGNS:
        return part
    signs = exp.Length(this=text.copy())
    outside = exp.or_(start.eq(0), start < exp.Neg(this=signs), start > signs.copy())
    return exp.Case().when(outside, _call("left", text.copy(), exp.Literal.number(0))).else_(part)


def _as_athena(node: Any) -> Any:
    """Write in Athena's words what the tree has in others."""
    match node:
        case exp.AtTimeZone(this=exp.AtTimeZone()):  # the wall clock of a zone
            here = exp.func("with_timezone", node.this.this, node.this.args["zone"], dialect="trino")
            return exp.cast(_call("at_timezone", here, node.args["zone"]), _TIMESTAMP)
        case exp.TimeToStr() if node.text("format") == MICROSECONDS:
            return exp.cast(exp.cast(node.this, _TIMESTAMP), "varchar")
        case exp.TimeToStr():  # which rounds to milliseconds
            node.set("this", _call("date_trunc", exp.Literal.string("second"), exp.cast(node.this, _TIMESTAMP)))
        case exp.FromISO8601Timestamp():
            there = _call("at_timezone", _call("from_iso8601_timestamp_nanos", node.this), exp.Literal.string("UTC"))
            return exp.cast(there, _TIMESTAMP)
    return node
