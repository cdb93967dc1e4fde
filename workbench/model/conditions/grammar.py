"""The grammar of conditions: text to tree, and where a text is none, the character at which and what was expected.

It is a grammar of its own, not sqlglot's: to that, ``a-b`` is a subtraction, ``is absent`` a column, ``--`` a comment.
Of 39 texts that are no condition, sqlglot takes 22, and finds the place of 6, as its values know no place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from workbench.errors import ParameterError, RecordRefused, did_you_mean
from workbench.model.canonical import canonical_number
from workbench.model.conditions.tree import (
    COLUMN,
    And,
    Changed,
    Compares,
    Condition,
    Contains,
    Equals,
    IsAbsent,
    IsNull,
    Like,
    Name,
    Not,
    Or,
    Relates,
    Value,
    pattern_of,
)
from workbench.model.records import EVENTS
from workbench.model.times import instant

if TYPE_CHECKING:
    from pyparsing import ParserElement

_COMPARES_WITH = {
    datetime: "a time: compare it with a text like '2026-11-20T12:00Z' or '-2d'",
    bool: "true or false",
    Decimal: "a number",
    str: "a text, in single quotes",
}
_FUNCTIONS = ("size", "changed", "contains", "starts_with")
_OF_DYNAMODB = {"begins_with": "starts_with"}
_EXAMPLE = "HeartRate > 120 and status in ('on', 'off')"
_DEEPEST = 16  # nested parentheses; sqlglot recurses some twenty frames for each of the SQL they become
_KEYWORDS = "and|or|not|in|like|escape|between|is|absent|null|true|false"
_NO_KEYWORD = rf"(?!(?i:{_KEYWORDS})(?![\w-]))"
_STEP = r'(?:"(?:[^"]|"")*"|[^\W\d][\w-]*)'
_PATH = rf"{_NO_KEYWORD}{_STEP}(?:\.{_STEP}|\[[0-9]{{1,9}}\])*"
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.])"
_QUOTED_OR_MARK = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|['"()]""")


def parse(text: str, columns: Mapping[str, type] | None = None) -> Condition:
    """Read a condition, `columns` being those of the answer it is for: `LATEST` or `CHANGES`.

    Raises
    ------
    ParameterError
        Where the text is no condition; the message names the character and what was expected there.

    >>> parse("new.phones[0] <> 5")
    And(parts=(Not(part=IsAbsent(name=Name(image='new', path=('phones', 0), size=False))),
               Not(part=Equals(name=Name(image='new', path=('phones', 0), size=False), values=(Decimal('5'),)))))
    """
    from pyparsing import ParseBaseException

    _check_marks(text)
    try:
        tree: Condition = _grammar().parse_string(text)[0]
    except ParseBaseException as error:
        message = error.msg if error.msg.startswith("Expected") else "expected 'and', 'or' or ')'"
        _refuse(text, error.loc, message[0].lower() + message[1:])
    return _resolved(tree, columns) if columns else tree


def _resolved(tree: Condition, columns: Mapping[str, type]) -> Condition:
    """Read the names of columns as such, and their values as what the columns hold."""
    match tree:
        case And(parts) | Or(parts):
            return type(tree)(tuple(_resolved(part, columns) for part in parts))
        case Not(part):
            return Not(_resolved(part, columns))
        case Relates(name, _, other):
            for each in (name, other):
                if (column := _column(each, columns)) is not None:
                    what = _COMPARES_WITH[columns[column]].partition(": ")[0]
                    raise ParameterError(f"{column} is {what}, and compares with a value, not with an attribute")
            return tree
    column = _column(tree.name, columns)
    if column is None:
        return tree
    kind, name = columns[column], Name(COLUMN, (column,))
    if tree.name.size or isinstance(tree, Changed | Contains):
        what = "size" if tree.name.size else type(tree).__name__.lower()
        raise ParameterError(
            f"{column} is a column of the answer, and {what}() is of attributes: one that is called so stands in "
            "double quotes"
        )
    match tree:
        case Equals(_, values):
            return Equals(name, tuple(_value_of(column, kind, value) for value in values))
        case Compares(_, sign, value):
            if kind is bool:
                raise ParameterError(f"{column} is true or false, which have no order")
            return Compares(name, sign, _value_of(column, kind, value))
        case Like() if kind is not str:
            raise ParameterError(f"{column} is {_COMPARES_WITH[kind]}, and like is for texts")
    return replace(tree, name=name)


def _column(name: Name, columns: Mapping[str, type]) -> str | None:
    """Return the column of the answer that a name stands for."""
    column = name.path[0]
    return column if name.plain and isinstance(column, str) and column in columns else None


def _value_of(column: str, kind: type, value: Value) -> Value:
    if kind is datetime and isinstance(value, str):
        return instant(value)
    if type(value) is not kind:
        raise ParameterError(f"{column} is {_COMPARES_WITH[kind]}")
    if column == "event_name" and value not in EVENTS:
        raise ParameterError(
            f"{value!r} is no event: use {', '.join(EVENTS)}.{did_you_mean(str(value).upper(), EVENTS)}"
        )
    return value


def _check_marks(text: str) -> None:
    """Refuse what the grammar would not see, or say badly: marks without their partners, and deep nesting."""
    if bad := re.search("[\0\ud800-\udfff]", text):
        _refuse(text, bad.start(), "NUL and half surrogates cannot be compared")
    opened: list[int] = []
    for mark in _QUOTED_OR_MARK.finditer(text):
        if mark[0] in ("'", '"'):
            _refuse(text, mark.start(), f"expected a second {mark[0]} later: this quote is not closed")
        if mark[0] == "(":
            opened.append(mark.start())
            if len(opened) > _DEEPEST:
                _refuse(text, mark.start(), f"expected at most {_DEEPEST} parentheses inside each other")
        elif mark[0] == ")":
            if not opened:
                _refuse(text, mark.start(), "expected a '(' before this")
            opened.pop()
    if opened:
        _refuse(text, opened[-1], "expected a ')' later: this parenthesis is not closed")


def _refuse(text: str, at: int, why: str) -> NoReturn:
    at += len(text[at:]) - len(text[at:].lstrip())
    place = f"at character {at + 1}, {text[at : at + 20]!r}" if at < len(text) else "at its end"
    shown = text if len(text) <= 60 else text[:30] + " … " + text[-25:]
    raise ParameterError(f"the condition {shown!r} is wrong {place}: {why}. Write it like {_EXAMPLE}")


@cache
def _grammar() -> ParserElement:
    import pyparsing as pp  # 70 ms, which only those who give a condition pay

    def word(word: str) -> pp.ParserElement:
        return pp.Regex(rf"(?i:{word})(?![\w-])").set_name(f"'{word}'")

    def skip(text: str) -> pp.ParserElement:
        return (word(text) if text.isalpha() else pp.Literal(text)).suppress()

    def reads(element: pp.ParserElement, value: Any) -> pp.ParserElement:
        return element.set_parse_action(lambda: value)

    negated = pp.Optional(reads(word("not"), True), default=False)
    text = pp.Regex("'(?:[^']|'')*'").set_parse_action(lambda t: t[0][1:-1].replace("''", "'"))
    value = (
        text
        | pp.Regex("[xX]'[^']*'").set_parse_action(_binary)
        | pp.Regex(_NUMBER).set_parse_action(_number)
        | reads(word("true"), True)
        | reads(word("false"), False)
        | word("null").set_parse_action(_null)
    ).set_name("a value like 5, 'text' in single quotes, true or x'0aff'")
    ordered = value.copy().add_parse_action(_ordered)
    number = pp.Regex(_NUMBER).set_parse_action(_number).set_name("a number like 5, as a size is one")
    pattern = text.copy().set_name("a text like 'A%_'")
    escape = skip("escape") - text.copy().set_name("a character like '!'")

    def called(function: str) -> pp.ParserElement:
        return pp.Regex(rf"(?i:{function})(?=\s*\()").suppress() + skip("(")

    close = skip(")").set_name("')'")
    path = pp.Regex(_PATH).set_parse_action(lambda t: _name(t[0]))
    path.set_name('an attribute like HeartRate, or "a b" in double quotes where it is no plain word')
    sized = (called("size") - path - close).set_parse_action(lambda t: replace(t[0], size=True))
    other = sized | path.copy().add_parse_action(_other)

    def equals(value: pp.ParserElement) -> pp.ParserElement:
        return (pp.one_of("= <> !=") - (value | other).set_name(f"{value.name}, or an attribute")).set_parse_action(
            lambda t: lambda name: _related(name, t[0], t[1])
        )

    def compares(value: pp.ParserElement) -> pp.ParserElement:
        return (pp.one_of("<= >= < >") - (value | other).set_name(f"{value.name}, or an attribute")).set_parse_action(
            lambda t: lambda name: _related(name, t[0], t[1])
        )

    def among(value: pp.ParserElement) -> pp.ParserElement:
        values = pp.Group(skip("(") - value - (skip(",") - value)[...] - skip(")").set_name("',' or ')'"))
        return (skip("in") - values).set_parse_action(lambda t: lambda name: Equals(name, tuple(t[0])))

    def between(value: pp.ParserElement) -> pp.ParserElement:
        return (skip("between") - value - skip("and") - value).set_parse_action(_between)

    def unless(positive: pp.ParserElement) -> pp.ParserElement:
        return (negated + positive).set_parse_action(lambda t: lambda name: _unless(t[0], name, t[1](name)))

    like = (skip("like") - pattern - pp.Optional(escape)).set_parse_action(_like)
    member = unless((among(value) | like | between(ordered)).set_name("'in', 'like' or 'between'"))
    kind = (reads(word("absent"), IsAbsent) | reads(word("null"), IsNull)).set_name("'absent' or 'null'")
    exists = (skip("is") - negated - kind).set_parse_action(lambda t: lambda name: _unless(t[0], name, t[1](name)))

    comparison = equals(value) | compares(ordered) | member | exists
    range_of_size = unless((among(number) | between(number)).set_name("'in' or 'between'"))
    of_size = equals(number) | compares(number) | range_of_size
    predicate = (
        (sized - of_size.set_name("=, <>, <, <=, >, >=, in or between")).set_parse_action(lambda t: t[1](t[0]))
        | (called("changed") - path.copy().add_parse_action(_either) - close).set_parse_action(lambda t: Changed(t[0]))
        | (called("contains") - path - skip(",") - value - close).set_parse_action(lambda t: Contains(*t))
        | (called("starts_with") - path - skip(",") - pattern - close).set_parse_action(
            lambda t: Like(t[0], pattern_of(t[1]) + "%")
        )
        | pp.Regex(rf"{_NO_KEYWORD}[^\W\d][\w-]*(?=\s*\()").set_parse_action(_unknown)
        | (path - comparison.set_name("=, <>, <, <=, >, >=, in, like, between or is")).set_parse_action(
            lambda t: t[1](t[0])
        )
    )
    predicate.set_name(path.name)
    tree: ParserElement = pp.infix_notation(
        predicate,
        [  # type: ignore[no-untyped-call]
            (skip("not"), 1, pp.OpAssoc.RIGHT, lambda t: _not(t[0][0])),
            (skip("and"), 2, pp.OpAssoc.LEFT, lambda t: And(tuple(t[0]))),
            (skip("or"), 2, pp.OpAssoc.LEFT, lambda t: Or(tuple(t[0]))),
        ],
    )
    # parse_with_tabs: else a tab within quotes would become spaces.
    return (tree + pp.StringEnd().set_name("'and', 'or' or the end")).parse_with_tabs()


def _name(text: str) -> Name:
    steps: list[tuple[str, str, str]] = re.findall(rf'"((?:[^"]|"")*)"|\[([0-9]+)\]|({_STEP})', text)
    path: tuple[Any, ...] = tuple(
        int(index) if index else bare or quoted.replace('""', '"') for quoted, index, bare in steps
    )
    if len(path) > 1 and not text.startswith('"') and isinstance(path[1], str) and path[0].lower() in ("new", "old"):
        return Name(path[0].lower(), path[1:])
    return Name("", path, plain=len(path) == 1 and not text.startswith('"'))


@dataclass(frozen=True)
class _Other:
    """An attribute that another one is compared with, and where it is named."""

    name: Name
    text: str
    at: int


def _other(text: str, at: int, tokens: Any) -> _Other:
    return _Other(tokens[0], text, at)


def _related(name: Name, sign: str, value: Value | Name | _Other) -> Condition:
    """Compare an attribute with a value, or with another attribute."""
    if isinstance(value, _Other):
        at = value.at + len(value.text[value.at :]) - len(value.text[value.at :].lstrip())
        alone = value.text[at] == '"' and not value.name.image and len(value.name.path) == 1
        if alone and (name.plain or name.image or len(name.path) > 1):
            _refuse(
                value.text,
                at,
                "expected a value like 'text' in single quotes; an attribute in double quotes stands before the sign",
            )
        value = value.name
    if not isinstance(value, Name):
        if sign in ("=", "<>", "!="):
            return _unless(sign != "=", name, Equals(name, (value,)))
        return Compares(name, sign, value)
    if sign in ("<>", "!="):
        return And((_not(IsAbsent(name)), _not(IsAbsent(value)), Not(Relates(name, "=", value))))
    return Relates(name, sign, value)


def _either(text: str, at: int, tokens: Any) -> None:
    if tokens[0].image:
        _refuse(text, at, f"changed() looks at both images: leave {tokens[0].image}. out")


def _unknown(text: str, at: int, tokens: Any) -> NoReturn:
    meant = _OF_DYNAMODB.get(tokens[0].lower())
    hint = f" Did you mean {meant!r}?" if meant else did_you_mean(tokens[0].lower(), _FUNCTIONS)
    _refuse(text, at, f"there is no function {tokens[0]!r}.{hint} There are {', '.join(_FUNCTIONS)}")


def _not(part: Condition) -> Condition:
    return part.part if isinstance(part, Not) else Not(part)


def _unless(negated: bool, name: Name, leaf: Condition) -> Condition:
    """Turn ``in`` into ``not in``, and so on: the attribute is there, and the leaf does not hold."""
    if not negated:
        return leaf
    return _not(leaf) if isinstance(leaf, IsAbsent) else And((Not(IsAbsent(name)), Not(leaf)))


def _number(text: str, at: int, tokens: Any) -> Decimal:
    try:
        number = Decimal(canonical_number(tokens[0].removeprefix("+")))
    except RecordRefused:
        number = Decimal("Infinity")
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if not number.is_finite() or len(digits) > 38 or (number and not -130 <= number.adjusted() <= 125):
        _refuse(text, at, "expected a number DynamoDB can hold, of up to 38 digits and between 1E-130 and 9.9E+125")
    return number


def _binary(text: str, at: int, tokens: Any) -> bytes:
    try:
        return bytes.fromhex(tokens[0][2:-1])
    except ValueError:
        _refuse(text, at, "expected pairs of hexadecimal digits, like x'0aff'")


def _null(text: str, at: int, _: object) -> NoReturn:
    _refuse(text, at, "null compares with nothing: expected `is null` or `is not null` instead")


def _ordered(text: str, at: int, tokens: Any) -> None:
    if isinstance(tokens[0], bool):
        _refuse(text, at, "true and false have no order: expected a number, a text or binary, or = before this")


def _between(text: str, at: int, tokens: Any) -> Callable[[Name], Condition]:
    low, high = tokens
    if type(low) is not type(high):
        _refuse(text, at, "expected two values of one type, like between 1 and 5")
    return lambda name: And((Compares(name, ">=", low), Compares(name, "<=", high)))


def _like(text: str, at: int, tokens: Any) -> Callable[[Name], Condition]:
    written, escape = tokens[0], tokens[1] if len(tokens) > 1 else ""
    if len(tokens) > 1 and len(escape) != 1:
        _refuse(text, at, "expected one character after escape, like escape '!'")
    pattern, characters = "", iter(written)
    for character in characters:
        meant = character == escape
        if meant and (character := next(characters, "")) not in {"%", "_", escape}:
            _refuse(text, at, f"expected %, _ or {escape} after each {escape} of the pattern")
        pattern += "!" + character if character == "!" or (meant and character in "%_") else character
    return lambda name: Like(name, pattern)
