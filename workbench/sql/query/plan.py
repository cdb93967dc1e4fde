"""A query as engines run it: what it reads, the columns it answers with, and its text."""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from workbench.errors import ParameterError
from workbench.model import times
from workbench.model.masked_values import UNMATCHED
from workbench.sql.dialects import written
from workbench.sql.query.binding import Binder, is_whole, ordered_by
from workbench.sql.query.functions import family
from workbench.sql.query.names import OutColumn, label_text, quoted
from workbench.sql.query.relations import Catalog, Relation
from workbench.sql.query.source_text import SourceText
from workbench.sql.typed_attributes import NO_MASKS, Dialect, Masks, unmatched

_UNORDERED = frozenset({"array", "null"})
_LONGEST = 100_000  # characters; more are no text that a person wrote
_DEEPEST = 400  # expressions in each other, as of so many conditions with AND between them


@dataclass(frozen=True)
class Key:
    """What an answer is ordered by."""

    name: str
    """A column of the text's, which need not be one of the answer."""
    descending: bool
    nulls_first: bool
    kind: str = "varchar"


@dataclass(frozen=True)
class Plan:
    """A query that was read, checked and bound."""

    sql: str
    """As it was written."""
    relations: Sequence[Relation]
    """What it reads; in its text they are ``"$r1"``, ``"$r2"`` and so on."""
    columns: Sequence[OutColumn]
    names: Sequence[str]
    """What the columns are called."""
    order: Sequence[Key]
    notes: Sequence[str]
    tree: exp.Expr

    @property
    def inside(self) -> dict[str, str]:
        """The columns of its text, with their types: those of the answer, and what else that is ordered by."""
        return {column.name: column.kind for column in self.columns} | {key.name: key.kind for key in self.order}

    def in_order(self, rows: pa.Table) -> pa.Table:
        """Put rows in the order that the query asks for, which files do not keep."""
        for key in reversed(self.order):
            nulls = "at_start" if key.nulls_first else "at_end"
            by = [("key", "descending" if key.descending else "ascending", nulls)]
            keys = pa.table({"key": rows.column(key.name).combine_chunks()})
            rows = rows.take(pc.sort_indices(keys, sort_keys=by))
        return rows

    def compose(self, relations: Sequence[str], dialect: Dialect) -> str:
        """Return the text of the query over the queries of its relations, which are in `dialect`."""
        tree = self.tree.copy()
        given = tree.args.get("with_")
        own = [written(each, dialect) for each in given.expressions] if given else []
        tree.set("with_", None)
        read = [f'"$r{number}" as (\n{sql}\n)' for number, sql in enumerate(relations, 1)]
        return "with {}\n{}".format(",\n".join([*read, *own]), written(tree, dialect))


def plan(
    sql: str | SourceText,
    parameters: Mapping[str, Any],
    catalog: Catalog,
    *,
    masks: Masks = NO_MASKS,
    now: datetime | None = None,
) -> Plan:
    """Read a query, and bind it to the relations of a log.

    Parameters
    ----------
    sql
        One SELECT in Athena's dialect, with or without WITH, UNION and so on.
    parameters
        For ``:name`` in the text; of a text that was read, they are filled in.
    masks
        What its relations hide: SQL sees what is shown.
    now
        The instant of ``now()``, in UTC.

    Raises
    ------
    ParameterError
        Where it is anything else, or names what is not there; it says where in the text.
    """
    if not isinstance(sql, str | SourceText):
        raise ParameterError(f"a query is a text, and this is of the type {type(sql).__name__}")
    if isinstance(sql, str) and len(sql) > _LONGEST:
        raise ParameterError(f"the query has {len(sql):,} characters, more than {_LONGEST:,}")
    text = SourceText(sql, parameters) if isinstance(sql, str) else sql
    if "\0" in text.sql or any("\ud800" <= sign <= "\udfff" for sign in text.sql):
        raise ParameterError("the query holds a NUL character, or half of a character: it is no text")
    try:
        return _bound(text, catalog, now or times.now(), masks)
    except RecursionError:
        raise ParameterError("the query is nested too deep") from None


def _bound(text: SourceText, catalog: Catalog, now: datetime, masks: Masks) -> Plan:
    tree = _parsed(text)
    binder = Binder(text, catalog, now, masks)
    holder = exp.Paren(this=tree)  # so that the whole may be replaced too
    columns = binder.bind(tree)
    tree = holder.this
    while isinstance(tree, exp.Subquery):
        tree = tree.this
    tree.pop()
    order, ordered = _order(tree, columns, text, binder.keys)
    _without_null_types(tree, columns)
    written(tree, "athena")  # what is nested too deep is refused here
    unheld = [UNMATCHED.format(path) for path in unmatched(masks, [each.schema for each in binder.relations])]
    notes = (*binder.notes, *ordered, *unheld)
    return Plan(text.written, binder.relations, columns, _names(columns, text), order, notes, tree)


def _parsed(text: SourceText) -> exp.Expr:
    """Return the one statement of a text."""
    try:
        with _silent():
            parsed = sqlglot.parse(text.sql, read="athena")
            statements = [each for each in parsed if each is not None and not isinstance(each, exp.Semicolon)]
    except (ParseError, TokenError) as error:
        raise text.unread(error) from None
    if len(statements) != 1:
        told = "the text holds no query" if not statements else f"the text holds {len(statements)} statements"
        raise ParameterError(f"{told}: give one SELECT")
    (tree,) = statements
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > _DEEPEST:
            raise text.error(node, "the query is nested too deep")
        waiting += ((each, depth + 1) for each in node.iter_expressions())
    tokens = sqlglot.tokenize(text.sql, read="athena")
    if not isinstance(tree, exp.Query) or tokens[0].text.lower() not in ("select", "with", "("):  # but FROM t SELECT
        raise ParameterError(f"a query is one SELECT, and this is {tree.key.upper()}: nothing else is run")
    for one, other in pairwise(tokens):  # 1_000 would be 1 AS _000
        if one.token_type == sqlglot.TokenType.NUMBER and other.start == one.end + 1 and re.match(r"\w", other.text):
            raise text.error(one.start, "a number is followed by a space or a sign")
        if one.token_type == sqlglot.TokenType.COMMA and other.token_type in (
            sqlglot.TokenType.FROM,
            sqlglot.TokenType.R_PAREN,
        ):
            raise text.error(one.start, "nothing comes after this comma")
    return tree


@contextmanager
def _silent() -> Iterator[None]:
    """Keep sqlglot's warnings to itself: what it warns of is refused."""
    logger = logging.getLogger("sqlglot")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)


def _names(columns: Sequence[OutColumn], text: SourceText) -> list[str]:
    """Return what columns are called: by their paths; where that is the same, by the table's name before it."""
    names = [label_text(column.label) if column.label else f"_col{at}" for at, column in enumerate(columns)]
    several = Counter(names)
    names = [
        f"{column.of}.{name}" if several[name] > 1 and column.of else name
        for name, column in zip(names, columns, strict=True)
    ]
    again = [name for name, times_ in Counter(names).items() if times_ > 1]
    if again:
        raise ParameterError(f"several columns are called {again[0]!r}: give them names of their own, with AS")
    return names


def _order(
    tree: exp.Expr, columns: Sequence[OutColumn], text: SourceText, kinds: Mapping[int, str]
) -> tuple[list[Key], list[str]]:
    """Return what an answer is ordered by; where it says nothing, by its columns, so that it never varies."""
    given = ordered_by(tree)
    if not given:
        keys = [exp.column(quoted(each.name)) for each in columns if family(each.kind) not in _UNORDERED]
        given = [exp.Ordered(this=key, desc=False, nulls_first=False) for key in keys]
        if given:
            tree.set("order", exp.Order(expressions=given))
        notes = (
            ["LIMIT without ORDER BY: the first rows by the columns from left to right"]
            if tree.args.get("limit")
            else []
        )
        by_name = {each.name: each.kind for each in columns}
        return [Key(key.name, False, False, by_name[key.name]) for key in keys], notes
    order, hidden = [], 0
    for ordered in given:
        key = ordered.this
        descending = bool(ordered.args.get("desc"))
        nulls_first = bool(ordered.args.get("nulls_first"))
        if is_whole(key):
            name = columns[int(key.this) - 1].name
            kinds = {**kinds, id(ordered): columns[int(key.this) - 1].kind}
        elif isinstance(key, exp.Column) and not key.table:
            name = key.name
        else:
            if tree.args.get("distinct"):
                raise text.error(key, "of SELECT DISTINCT, ORDER BY takes columns")
            hidden += 1
            name = f"h{hidden}"
            tree.append("expressions", exp.alias_(key.copy(), name, quoted=True))
            ordered.set("this", exp.column(quoted(name)))
        order.append(Key(name, descending, nulls_first, kinds.get(id(ordered), "varchar")))
    return order, []


def _without_null_types(tree: exp.Expr, columns: Sequence[OutColumn]) -> None:
    """Give columns that are NULL throughout a type, which files need."""
    if isinstance(tree, exp.Select):
        for item, column in zip(list(tree.expressions), columns, strict=False):
            if column.kind == "null":
                item.set("this", exp.cast(item.this.copy(), "varchar"))
