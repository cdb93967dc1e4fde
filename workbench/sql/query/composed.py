"""A query of the workbench's own, with expressions in it that a person wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import TokenType
from sqlglot.tokens import Tokenizer

from workbench.errors import ParameterError
from workbench.sql.query.names import chain_of
from workbench.sql.query.relations import KINDS
from workbench.sql.query.source_text import SourceText, span_of
from workbench.sql.templates import TOKEN

_LONGEST = 10_000  # characters
_SHOWN = 40
_FUNCTIONS: Mapping[type[exp.Expr], str] = {
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
    exp.Median: "median",
    exp.Count: "count",
}
_ITEM = "item."
_THERE_ARE = "it is one of sum(x), avg(x), min(x), max(x), median(x), count(*), count(x) and count(distinct x)"


@dataclass(frozen=True)
class Expression:
    """An expression over the attributes of an item, which was read alone: it ends where what was written ends.

    >>> Expression.read("path", "version").sql
    'item.version'
    """

    name: str
    """The parameter it is."""
    written: str
    """What was written, which may have more before and after it."""
    tree: exp.Expr
    begin: int
    end: int
    """Where in what was written it stands."""
    inserted: tuple[int, ...] = ()
    """Where ``item.`` comes before the name of an attribute that is called like metadata."""

    @classmethod
    def read(cls, name: str, written: str) -> Expression:
        """Read an expression of one value.

        Raises
        ------
        ParameterError
            Where it is anything else: a query, an aggregate, several; it says at which column.
        """
        read = _read(name, written)
        read.refuse(exp.AggFunc, "an aggregate is of many items, and this of one")
        return read._of_attributes()

    @property
    def sql(self) -> str:
        """The expression, as it stands in a query."""
        text, last = "", self.begin
        for place in self.inserted:
            text += f"{self.written[last:place]}{_ITEM}"
            last = place
        return text + self.written[last : self.end]

    def place(self, offset: int) -> int:
        """Return where in what was written a place of `sql` is.

        >>> Expression.read("path", "a + version").place(len("a + item."))
        4
        """
        at = self.begin + offset
        for place in self.inserted:
            at = at if at < place else max(at - len(_ITEM), place)
        return min(at, max(self.end - 1, self.begin))

    def error(self, begin: int, last: int, message: str) -> ParameterError:
        """Return an error about what was written from a place on, to another."""
        text = self.written
        line, column = text.count("\n", 0, begin) + 1, begin - text.rfind("\n", 0, begin)
        while text[begin : last + 1].count("(") > text[begin : last + 1].count(")") and last + 1 < len(text):
            last += 1
        shown = " ".join(text[begin : last + 1].split())
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
        where = f"line {line}, column {column}" if "\n" in text.strip() else f"column {column}"
        return ParameterError(f"{self.name}: {where}" + (f", at {shown!r}" if shown else "") + f": {message}")

    def about_all(self, message: str) -> ParameterError:
        """Return an error about all of it."""
        blank = len(self.written[self.begin : self.end]) - len(self.written[self.begin : self.end].lstrip())
        return self.error(
            self.begin + blank, self.begin + len(self.written[self.begin : self.end].rstrip()) - 1, message
        )

    def refuse(self, kinds: type[exp.Expr] | tuple[type[exp.Expr], ...], message: str) -> None:
        """Refuse it where it has a node of some kinds.

        Raises
        ------
        ParameterError
            It says where.
        """
        if found := self.tree.find(*(kinds if isinstance(kinds, tuple) else (kinds,))):
            begin, last = span_of(found)
            raise self.error(self.begin if begin is None else begin, self.end - 1 if last is None else last, message)

    def _of_attributes(self) -> Expression:
        """Take names that metadata has for attributes: this is about the items themselves."""
        heads = [chain[0] for column in self.tree.find_all(exp.Column) if (chain := chain_of(column))]
        named = [head for head in heads if any(map(head.means, KINDS["$versions"].metadata))]
        return replace(self, inserted=tuple(sorted(head.node.meta["start"] for head in named)))


@dataclass(frozen=True)
class Aggregate:
    """An aggregate of items, like ``sum(balance)``."""

    function: str
    """``sum``, ``avg``, ``min``, ``max``, ``median`` or ``count``."""
    distinct: bool
    """Whether it counts different values."""
    argument: Expression | None
    """What it is of; None is the items themselves."""

    @property
    def is_told_by_steps(self) -> bool:
        """Whether it follows from what items add when they come, and take when they go."""
        return self.function in ("sum", "avg", "count") and not self.distinct

    @classmethod
    def read(cls, name: str, written: str) -> Aggregate:
        """Read an aggregate.

        Raises
        ------
        ParameterError
            Where it is none of those there are.

        >>> each = Aggregate.read("aggregate", "count(distinct city)")
        >>> each.function, each.distinct, each.argument.sql
        ('count', True, ' city')
        """
        read = _read(name, written)
        tree, last = read.tree, len(written) - 1
        tokens = Tokenizer(dialect="athena").tokenize(written)
        if type(tree) not in _FUNCTIONS or tokens[1].token_type != TokenType.L_PAREN:
            raise read.error(0, last, _THERE_ARE)
        function, distinct = _FUNCTIONS[type(tree)], isinstance(tree.this, exp.Distinct)
        given = tree.this.expressions[0] if distinct else tree.this
        several = tree.args.get("expressions") or (distinct and len(tree.this.expressions) > 1)
        if several or (distinct and function != "count"):
            raise read.error(0, last, _THERE_ARE)
        if given is None or isinstance(given, exp.Star):
            return cls(function, False, None)
        argument = replace(read, tree=given, begin=tokens[2 if distinct else 1].end + 1, end=tokens[-1].start)
        argument.refuse(exp.AggFunc, "an aggregate cannot stand in another")
        return cls(function, distinct, argument._of_attributes())


def _read(name: str, written: str) -> Expression:
    """Read what was written as one expression, without a query in it."""
    if not isinstance(written, str) or not written.strip():
        raise ParameterError(f"{name} is {written!r}: it must be an expression over attributes, like status")
    if len(written) > _LONGEST:
        raise ParameterError(f"{name} has {len(written):,} characters, more than {_LONGEST:,}")
    whole = Expression(name, written, exp.Null(), 0, len(written))
    try:
        for token in Tokenizer(dialect="athena").tokenize(written):
            if token.token_type == TokenType.SEMICOLON or token.comments:
                raise whole.error(token.start, token.end, "it is one expression, without a semicolon or a comment")
        (tree,) = Dialect.get_or_raise("athena").parse_into(exp.Condition, written)
    except ParseError as error:
        raise _unread(whole, error) from None
    except TokenError:
        raise whole.error(0, len(written) - 1, "a quote or a comment in it is never closed") from None
    except RecursionError:
        raise ParameterError(f"{name} is nested too deep") from None
    if tree is None:
        raise whole.error(0, len(written) - 1, "this cannot be read as SQL here")
    read = replace(whole, tree=tree)
    read.refuse((exp.Placeholder, exp.Parameter), "no parameter can stand here: write the value")
    read.refuse((exp.Query, exp.Subquery), "no query can stand here")
    read.refuse(exp.Window, "no window function can stand here")
    return read


def _unread(whole: Expression, error: ParseError) -> ParameterError:
    """Return the error of a text that is no SQL: where, as far as sqlglot tells."""
    found = error.errors[0] if error.errors else {}
    line, column, shown = found.get("line") or 0, found.get("col") or 0, found.get("highlight") or ""
    end = sum(map(len, whole.written.splitlines(keepends=True)[: line - 1])) + column
    begin = whole.written.rfind(shown, 0, end) if line and shown else -1
    if begin < 0:
        return whole.error(0, len(whole.written) - 1, "this cannot be read as one SQL expression")
    return whole.error(begin, begin + len(shown) - 1, "this cannot be read as SQL here")


class ComposedText(SourceText):
    """The text of a query of the workbench's own, whose errors are about what a person wrote in it.

    Parameters
    ----------
    template
        The text, with ``{names}`` and ``:values``.
    expressions
        By name, what a person wrote; in the text it stands in parentheses.
    names
        By name, SQL that is made here.
    values
        By name.
    """

    def __init__(
        self,
        template: str,
        expressions: Mapping[str, Expression],
        names: Mapping[str, str],
        values: Mapping[str, Any],
    ) -> None:
        self.expressions = expressions
        self._spans: list[tuple[int, int, Expression]] = []
        text, last = "", 0
        for token in TOKEN.finditer(template):
            if not (name := token["name"]):
                continue
            text += template[last : token.start()]
            if expression := expressions.get(name):
                text += "("
                self._spans.append((len(text), len(text) + len(expression.sql), expression))
                text += f"{expression.sql})"
            else:
                text += names[name]
            last = token.end()
        super().__init__(text + template[last:], values)

    def is_own(self, at: exp.Expr) -> bool:
        """Return whether the workbench itself wrote something: not what stands in expressions, nor at no place."""
        begin, _ = self.written_at(at)
        return begin is not None and not any(first <= begin < end for first, end, _ in self._spans)

    def error(self, at: exp.Expr | int | None, message: str) -> ParameterError:
        """Return an error that says at which place of what a person wrote something is."""
        begin, last = self.written_at(at)
        for first, end, expression in self._spans:
            if begin is not None and last is not None and first <= begin < end:
                last = min(last, end - 1)
                return expression.error(expression.place(begin - first), expression.place(last - first), message)
        if len(self.expressions) == 1:  # its type does not fit what the query does with it
            return next(iter(self.expressions.values())).about_all(message)
        return super().error(at, message)
