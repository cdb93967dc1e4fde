"""Conditions on attributes: reads ``HeartRate > 120 and status in ('on', 'off')`` and says where it holds.

An attribute is named like a column of a result: ``person.lastname``, ``person."first.name"``, ``phones[0].number``;
names of other characters than letters, digits, ``_`` and ``-`` stand in double quotes, and so do keywords.
Values are numbers, ``'texts'``, ``true``, ``false`` and binary in hex, ``x'0aff'``. There are ``=``, ``<>`` (or
``!=``), ``<``, ``<=``, ``>``, ``>=``, ``[not] in (…)``, ``[not] like 'A%_'`` with ``escape '!'``,
``[not] between … and …``, ``is [not] absent``, ``is [not] null``, ``and``, ``or``, ``not`` and parentheses.

Every comparison is true or false, never unknown:

- A value compares with its own type only: a number with N, a text with S, true and false with BOOL, binary with B.
  Numbers compare exactly, texts by code point and binary by byte, as DynamoDB orders them.
- ``is null`` is DynamoDB's NULL value; ``is absent`` means that the attribute is not there, nor is one that would
  lie in something that is no map or beyond the end of a list.
- ``<>``, ``not in``, ``not like``, ``not between`` and ``is not null`` hold where the attribute is there and the
  form without *not* does not hold: another type counts as different. ``not (…)`` is plain negation, and so
  holds for absent attributes too.
- ``new.age`` and ``old.age`` are read from that image, whose attributes are all absent where there is no such image
  (an attribute called new or old is quoted before a dot). Names without either are read from the same image, and
  the condition holds when it does with all of them read from the new image, or all from the old one.

The columns that an answer adds are named as they are: ``_changed_at``, ``_deleted_at`` and ``_by_ttl`` of the latest
state, ``ts``, ``event_name``, ``by_ttl``, ``size_bytes`` and ``event_id`` of changes; attributes so called are quoted.
Times compare with texts such as ``'2026-11-20T12:00Z'`` or ``'-2d'``.
"""

from __future__ import annotations

import base64
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from workbench.errors import ParameterError, RecordRefused, did_you_mean
from workbench.model.records import EVENTS, canonical_number
from workbench.model.times import instant

if TYPE_CHECKING:
    from pyparsing import ParserElement

Value: TypeAlias = Decimal | str | bool | bytes | datetime
Image: TypeAlias = Mapping[str, Any]

COLUMN = "column"
LATEST: Mapping[str, type] = {"_changed_at": datetime, "_deleted_at": datetime, "_by_ttl": bool}
CHANGES: Mapping[str, type] = {
    "ts": datetime,
    "event_name": str,
    "by_ttl": bool,
    "size_bytes": Decimal,
    "event_id": str,
}
"""The columns an answer adds to attributes, and what they compare with; of the latest state and of changes."""
_SAID = {
    datetime: "a time: compare it with a text like '2026-11-20T12:00Z' or '-2d'",
    bool: "true or false",
    Decimal: "a number",
    str: "a text, in single quotes",
}
_COLUMN_VALUE = "value"  # stands in place of a type of DynamoDB's
_EXAMPLE = "HeartRate > 120 and status in ('on', 'off')"
_DEEPEST = 16  # nested parentheses; sqlglot recurses some twenty frames for each of the SQL they become
_KEYWORDS = "and|or|not|in|like|escape|between|is|absent|null|true|false"
_STEP = r'(?:"(?:[^"]|"")*"|[^\W\d][\w-]*)'
_PATH = rf"(?!(?i:{_KEYWORDS})(?![\w-])){_STEP}(?:\.{_STEP}|\[[0-9]{{1,9}}\])*"
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.])"
_QUOTED_OR_MARK = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|['"()]""")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Name:
    """An attribute: the image it is read from (``new``, ``old``, or ``""`` for either), and the steps to it.

    A column of an answer has the image `COLUMN`; `plain` is a name that was written as one word without quotes.
    """

    image: str
    path: tuple[str | int, ...]
    plain: bool = field(default=False, compare=False, repr=False)


@dataclass(frozen=True)
class Equals:
    """The attribute is one of the values."""

    name: Name
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Compares:
    """The attribute is of the value's type, and ``<``, ``<=``, ``>`` or ``>=`` it."""

    name: Name
    operator: str
    value: Value


@dataclass(frozen=True)
class Like:
    """The attribute is a text of this pattern, in which ``!`` stands before ``%``, ``_`` and ``!`` meant as such."""

    name: Name
    pattern: str


@dataclass(frozen=True)
class IsAbsent:
    """The attribute is not there."""

    name: Name


@dataclass(frozen=True)
class IsNull:
    """The attribute is DynamoDB's NULL value."""

    name: Name


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: Condition


@dataclass(frozen=True)
class And:
    """All parts hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Or:
    """One of the parts holds."""

    parts: tuple[Condition, ...]


Leaf: TypeAlias = Equals | Compares | Like | IsAbsent | IsNull
Condition: TypeAlias = Leaf | Not | And | Or


def parse(text: str, columns: Mapping[str, type] | None = None) -> Condition:
    """Read a condition, `columns` being those of the answer it is for: `LATEST` or `CHANGES`.

    Raises
    ------
    ParameterError
        Where the text is no condition; the message names the character and what was expected there.

    >>> parse("new.phones[0] <> 5")
    And(parts=(Not(part=IsAbsent(name=Name(image='new', path=('phones', 0)))),
               Not(part=Equals(name=Name(image='new', path=('phones', 0)), values=(Decimal('5'),)))))
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
    column = tree.name.path[0]
    if not tree.name.plain or not isinstance(column, str) or column not in columns:
        return tree
    kind, name = columns[column], Name(COLUMN, (column,))
    match tree:
        case Equals(_, values):
            return Equals(name, tuple(_value_of(column, kind, value) for value in values))
        case Compares(_, sign, value):
            if kind is bool:
                raise ParameterError(f"{column} is true or false, which have no order")
            return Compares(name, sign, _value_of(column, kind, value))
        case Like() if kind is not str:
            raise ParameterError(f"{column} is {_SAID[kind]}, and like is for texts")
    return replace(tree, name=name)


def _value_of(column: str, kind: type, value: Value) -> Value:
    if kind is datetime and isinstance(value, str):
        return instant(value)
    if type(value) is not kind:
        raise ParameterError(f"{column} is {_SAID[kind]}")
    if column == "event_name" and value not in EVENTS:
        raise ParameterError(
            f"{value!r} is no event: use {', '.join(EVENTS)}.{did_you_mean(str(value).upper(), EVENTS)}"
        )
    return value


def holds(condition: Condition, new: Image | None, old: Image | None, row: Mapping[str, Any] | None = None) -> bool:
    """Say whether a condition holds for a change, given its images as DynamoDB JSON, binary encoded once.

    A condition on columns is asked of their values in `row` too, also where there is no image.

    >>> holds(parse("age > 40"), {"age": {"N": "41"}}, None)
    True
    """
    columns = {name: {_COLUMN_VALUE: value} for name, value in (row or {}).items() if value is not None}
    images = [image for image in (new, old) if image is not None] or ([{}] if row is not None else [])
    return any(_holds(condition, {"": image, "new": new, "old": old, COLUMN: columns}) for image in images)


def names_images(condition: Condition) -> bool:
    """Say whether a condition reads ``new.`` or ``old.`` anywhere."""
    return any(name.image in ("new", "old") for name in names(condition))


def names_columns(condition: Condition) -> bool:
    """Say whether a condition reads a column of the answer."""
    return any(name.image == COLUMN for name in names(condition))


def names(condition: Condition) -> Iterator[Name]:
    """Yield what a condition names."""
    for leaf in leaves(condition):
        yield leaf.name


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Yield the comparisons of a condition."""
    match condition:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case leaf:
            yield leaf


def _holds(condition: Condition, images: Mapping[str, Image | None]) -> bool:
    match condition:
        case And(parts):
            return all(_holds(part, images) for part in parts)
        case Or(parts):
            return any(_holds(part, images) for part in parts)
        case Not(part):
            return not _holds(part, images)
    found = _find(condition.name, images)
    match condition:
        case IsAbsent():
            return found is None
        case IsNull():
            return found is not None and "NULL" in found
        case Like(_, pattern):
            return isinstance(text := _read(found), str) and _regex(pattern).fullmatch(text) is not None
        case Equals(_, values):
            read = _read(found)
            return any(type(read) is type(value) and read == value for value in values)
        case Compares(_, sign, value):
            read = _read(found)
            return type(read) is type(value) and _COMPARE[sign](read, value)


def _find(name: Name, images: Mapping[str, Image | None]) -> Image | None:
    """Return the attribute's value as DynamoDB JSON, or None where it is absent."""
    found: Image | None = {"M": images[name.image] or {}}
    for step in name.path:
        if found is None:
            return None
        if isinstance(step, str):
            found = found.get("M", {}).get(step)
        else:
            found = next(iter(found.get("L", [])[step : step + 1]), None)
    return found


def _read(found: Image | None) -> Value | None:
    for kind, inner in (found or {}).items():
        if kind == "N":
            return Decimal(canonical_number(inner))
        if kind == "B":
            return base64.b64decode(inner, validate=True)
        if kind in ("S", "BOOL", _COLUMN_VALUE):
            return inner  # type: ignore[no-any-return]
    return None


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    """Turn a pattern into a regular expression whose time grows with text times pattern, and no faster."""
    pieces = [""]
    for escaped, plain in re.findall(r"!(.)|(.)", pattern, re.DOTALL):
        if plain == "%":
            pieces.append("")
        else:
            pieces[-1] += "." if plain == "_" else re.escape(escaped or plain)
    first, *middle, last = pieces if len(pieces) > 1 else ("", *pieces)
    # The leftmost place is good enough for a piece between two %, so no other is tried: (?>…).
    between = "".join(f"(?>.*?{piece})" for piece in middle if piece) + ".*" if len(pieces) > 1 else ""
    return re.compile(f"{first}{between}{last}", re.DOTALL)


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
    pattern = text.copy().set_name("a text like 'A%_'")
    escape = skip("escape") - text.copy().set_name("a character like '!'")

    equals = (pp.one_of("= <> !=") - value).set_parse_action(
        lambda t: lambda name: _unless(t[0] != "=", name, Equals(name, (t[1],)))
    )
    compares = (pp.one_of("<= >= < >") - ordered).set_parse_action(lambda t: lambda name: Compares(name, *t))
    values = pp.Group(skip("(") - value - (skip(",") - value)[...] - skip(")").set_name("',' or ')'"))
    among = (skip("in") - values).set_parse_action(lambda t: lambda name: Equals(name, tuple(t[0])))
    like = (skip("like") - pattern - pp.Optional(escape)).set_parse_action(_like)
    between = (skip("between") - ordered - skip("and") - ordered).set_parse_action(_between)
    member = (negated + (among | like | between).set_name("'in', 'like' or 'between'")).set_parse_action(
        lambda t: lambda name: _unless(t[0], name, t[1](name))
    )
    kind = (reads(word("absent"), IsAbsent) | reads(word("null"), IsNull)).set_name("'absent' or 'null'")
    exists = (skip("is") - negated - kind).set_parse_action(lambda t: lambda name: _unless(t[0], name, t[1](name)))

    name = pp.Regex(_PATH).set_parse_action(lambda t: _name(t[0]))
    comparison = (equals | compares | member | exists).set_name("=, <>, <, <=, >, >=, in, like, between or is")
    predicate = (name - comparison).set_parse_action(lambda t: t[1](t[0]))
    predicate.set_name('an attribute like HeartRate, or "a b" in double quotes where it is no plain word')
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
