"""Calls that engines answer otherwise: written so that they answer alike, or refused."""

from __future__ import annotations

import re
from collections.abc import Mapping

import sqlglot
from sqlglot import exp

from workbench.sql.query.functions import MOST_DIGITS, UNITS, UNITS_OF_DATES, family, scale_of
from workbench.sql.query.patterns import pattern_of, replacement_of

_WRITTEN_TEXTS: Mapping[type[exp.Expr], str] = {
    exp.Replace: "expression",
    exp.Split: "expression",
    exp.SplitPart: "delimiter",
    exp.Pad: "fill_pattern",
}
"""Arguments that must not be empty, where engines differ or fail."""
_WRITTEN_NUMBERS: Mapping[type[exp.Expr], tuple[str, int]] = {
    exp.SplitPart: ("part_index", 1),
    exp.Pad: ("expression", 0),
    exp.RegexpExtract: ("group", 0),
    exp.Ntile: ("this", 1),
    exp.NthValue: ("offset", 1),
    exp.Lag: ("offset", 0),
    exp.Lead: ("offset", 0),
}
"""Arguments that are whole numbers, and the least that each may be."""
_FORMATS = frozenset("YymcdeHkhIlisSpTraWbMj%")
_FROM_1970 = """date_add('millisecond', millis % 86400000,
    date_add('day', millis / 86400000, cast('1970-01-01 00:00:00.000000' as timestamp(6))))"""
_ISO = (
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
    r"\z"
)
_SURROGATES = range(0xD800, 0xE000)


class Unlike(Exception):
    """Engines answer a call otherwise; the message says what to do."""


def mended(node: exp.Expr, kinds: Mapping[str, str], kind: str) -> tuple[exp.Expr, str]:
    """Return a call, or what is to stand in its place, and its type.

    Parameters
    ----------
    node
        The call, which is changed.
    kinds
        The types of its arguments.
    kind
        Its own.

    Raises
    ------
    Unlike
        Where no text means the same to every engine.
    """
    _check_written(node)
    match node:
        case exp.RegexpLike() | exp.RegexpExtract() | exp.RegexpReplace():
            _pattern(node)
        case exp.TimeToStr():
            _format(node)
        case exp.Lag() | exp.Lead() if "default" in kinds and family(kinds["default"]) not in ("null", family(kind)):
            raise Unlike("the value where there is no row has the type of the others")
        case exp.Chr():
            _character(node)
        case exp.UnixToTime():
            return _from_unix(node, kinds["this"]), kind
        case exp.FromISO8601Timestamp():
            _iso(node)
        case exp.DateAdd() | exp.TimestampTrunc() | exp.DateTrunc() | exp.DateDiff():
            return _by_unit(node, kinds, kind)
        case exp.Ceil() | exp.Floor() | exp.Round() if family(kind) == "bigint" and not node.args.get("decimals"):
            return exp.paren(node.this.copy()), kind  # one engine reckons in doubles
        case exp.Round() | exp.Ceil() | exp.Floor() | exp.Sign() if family(kinds["this"]) == "decimal":
            return _rounded(node, kinds["this"])
    return node, kind


def whole_number(node: object) -> int | None:
    """Return a whole number that is written in a query; None where it is none.

    >>> whole_number(exp.Literal.number(3)), whole_number(exp.Literal.string("3"))
    (3, None)
    """
    if isinstance(node, exp.Neg):
        number = whole_number(node.this)
        return None if number is None else -number
    if isinstance(node, exp.Literal) and not node.is_string and str(node.this).isdigit():
        return int(node.this)
    return None


def _check_written(node: exp.Expr) -> None:
    if name := _WRITTEN_TEXTS.get(type(node)):
        given = node.args.get(name)
        if given is not None and not (isinstance(given, exp.Literal) and given.is_string and given.this):
            raise Unlike("what is looked for, or filled in, is a text that is written here and is not empty")
    if type(node) in _WRITTEN_NUMBERS:
        name, least = _WRITTEN_NUMBERS[type(node)]
        number = whole_number(node.args[name]) if node.args.get(name) is not None else least
        if number is None or number < least:
            raise Unlike(f"it takes a whole number that is written here, from {least} on")


def _pattern(node: exp.Expr) -> None:
    given = node.args["expression"]
    if not (isinstance(given, exp.Literal) and given.is_string):
        raise Unlike("a pattern is a text that is written here")
    try:
        pattern = pattern_of(str(given.this))
        if isinstance(node, exp.RegexpReplace):
            into = node.args["replacement"]
            if not (isinstance(into, exp.Literal) and into.is_string):
                raise Unlike("a replacement is a text that is written here")
            replacement_of(str(into.this), pattern)
            if pattern.matches_nothing:
                raise Unlike("a pattern that matches the empty text is replaced differently by engines")
    except ValueError as error:
        raise Unlike(str(error)) from None
    if isinstance(node, exp.RegexpExtract) and (group := whole_number(node.args.get("group")) or 0):
        if group > len(pattern.groups):
            raise Unlike(f"the pattern has {len(pattern.groups)} groups in parentheses")
        if not pattern.groups[group - 1]:
            raise Unlike("engines differ where a group is not part of the match: let it match the empty text, as (x?)")
    node.set("expression", exp.Literal.string(pattern.text))


def _format(node: exp.Expr) -> None:
    given = node.args.get("format")
    if not (isinstance(given, exp.Literal) and given.is_string):
        raise Unlike("the format of date_format is a text that is written here")
    written = exp.TimeToStr(this=exp.null(), format=given.copy()).sql(dialect="athena")
    text = written.partition("'")[2].rpartition("'")[0]
    for found in re.findall(r"%(.|$)", text, re.DOTALL):
        if found not in _FORMATS:
            advice = ": cast(… as varchar) has the microseconds" if found == "f" else ""
            raise Unlike(f"%{found} is not read alike in a format; there are %Y %m %d %H %i %s and others{advice}")


def _character(node: exp.Expr) -> None:
    number = whole_number(node.expressions[0]) if len(node.expressions) == 1 else None
    if number is None or not 0 < number < 0x110000 or number in _SURROGATES:
        raise Unlike("it takes one number of Unicode that is written here")
    node.set("expressions", [exp.cast(exp.Literal.number(number), "int")])


def _by_unit(node: exp.Expr, kinds: Mapping[str, str], kind: str) -> tuple[exp.Expr, str]:
    unit = str(node.args["unit"].name).upper()
    times = {kinds[name] for name in ("this", "expression") if kinds.get(name) in ("date", "timestamp")}
    allowed = UNITS if "timestamp" in times else UNITS_OF_DATES
    if unit not in allowed:
        raise Unlike(f"a unit of time is {', '.join(sorted(allowed)).lower()} here")
    if isinstance(node, exp.DateDiff):
        for name in ("this", "expression"):
            if len(times) > 1 and kinds[name] == "date":
                node.set(name, exp.cast(node.args[name].copy(), "timestamp(6)", dialect="trino"))
        return node, kind
    return (exp.cast(node.copy(), "date") if kind == "date" else node), kind


def _from_unix(node: exp.Expr, kind: str) -> exp.Expr:
    """Count from 1970 on, to the millisecond as Athena does; it is UTC. Athena adds no more than 32 bits at once."""
    seconds = exp.cast(node.this.copy(), "double" if kind == "double" else f"decimal({MOST_DIGITS},3)")
    millis = exp.cast(exp.Round(this=exp.Mul(this=seconds, expression=exp.Literal.number(1000))), "bigint")
    moment = sqlglot.parse_one(_FROM_1970, read="athena")
    for column in list(moment.find_all(exp.Column)):
        column.replace(millis.copy())
    return moment


def _iso(node: exp.Expr) -> None:
    """Take what is not written so for no time, whatever an engine makes of it."""
    text = node.this
    matches = exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(_ISO))
    refused = exp.Literal.string("this is no time of ISO 8601, such as 2026-11-18T12:00:00Z")
    node.set("this", exp.Case().when(exp.Not(this=matches), refused).else_(text.copy()))


def _rounded(node: exp.Expr, kind: str) -> tuple[exp.Expr, str]:
    """Give what is rounded a type of its own, which engines think of differently."""
    digits = 0
    if node.args.get("decimals") is not None:
        written = whole_number(node.args["decimals"])
        if written is None:
            raise Unlike("to how many digits is rounded is written here")
        digits = max(min(written, scale_of(kind)), 0)
    rounded = f"decimal({MOST_DIGITS},{digits})"
    return exp.cast(node.copy(), rounded), rounded
