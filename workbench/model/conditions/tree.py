"""The tree of a condition: what it compares, with what, and how that is joined."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

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
VERSIONS: Mapping[str, type] = {
    **dict.fromkeys(("valid_from", "valid_to"), datetime),
    **dict.fromkeys(("version", "life"), Decimal),
    "is_current": bool,
    "ended_by": str,
}
"""The columns an answer adds to attributes, and what they compare with; of the latest state, changes and versions."""


@dataclass(frozen=True)
class Name:
    """An attribute: the image it is read from (``new``, ``old``, or ``""`` for either), and the steps to it.

    A column of an answer has the image `COLUMN`; `plain` is a name that was written as one word without quotes. With
    `size` it is not the attribute that is meant, but how many characters, bytes or members it has, as a number.
    """

    image: str
    path: tuple[str | int, ...]
    plain: bool = field(default=False, compare=False, repr=False)
    size: bool = False


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
class Relates:
    """Both attributes are there and equal, in canonical form; or of one type, and ordered so."""

    name: Name
    operator: str
    other: Name


@dataclass(frozen=True)
class Contains:
    """The attribute is a list or a set, and the value one of its members; or a text, and the value a part of it."""

    name: Name
    value: Value


@dataclass(frozen=True)
class Changed:
    """The attribute is not the same in both images of a change: in one of them only, or in another canonical form."""

    name: Name


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


Leaf: TypeAlias = Equals | Compares | Like | Relates | Contains | Changed | IsAbsent | IsNull
Condition: TypeAlias = Leaf | Not | And | Or


def pattern_of(text: str) -> str:
    """Write a text as a pattern of itself, as `Like` has it.

    >>> pattern_of("100%!")
    '100!%!!'
    """
    return re.sub("[!%_]", r"!\g<0>", text)


def names_images(condition: Condition) -> bool:
    """Return whether a condition reads ``new.`` or ``old.`` anywhere, or compares the two.

    >>> from workbench.model.conditions import parse
    >>> names_images(parse("new.age > 40")), names_images(parse("changed(age)")), names_images(parse("age > 40"))
    (True, True, False)
    """
    return any(name.image in ("new", "old") for name in names(condition)) or any(
        isinstance(leaf, Changed) for leaf in leaves(condition)
    )


def names_columns(condition: Condition) -> bool:
    """Return whether a condition reads a column of the answer.

    >>> from workbench.model.conditions import parse
    >>> names_columns(parse("ts > '-2d'", CHANGES)), names_columns(parse("age > 40", CHANGES))
    (True, False)
    """
    return any(name.image == COLUMN for name in names(condition))


def names(condition: Condition) -> Iterator[Name]:
    """Yield what a condition names, as often as it does.

    >>> from workbench.model.conditions import parse
    >>> [name.path for name in names(parse("age > 40 and person.city = 'Oslo'"))]
    [('age',), ('person', 'city')]
    """
    for leaf in leaves(condition):
        yield leaf.name
        if isinstance(leaf, Relates):
            yield leaf.other


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Yield the comparisons of a condition.

    >>> from workbench.model.conditions import parse
    >>> list(leaves(parse("not age > 40")))
    [Compares(name=Name(image='', path=('age',), size=False), operator='>', value=Decimal('40'))]
    """
    match condition:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case leaf:
            yield leaf
