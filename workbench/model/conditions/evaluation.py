"""Where a condition holds: asked of a change's images in Python, as `workbench.sql` asks it in SQL."""

from __future__ import annotations

import base64
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

from workbench.model.canonical import canonical_number
from workbench.model.conditions.tree import (
    COLUMN,
    And,
    Changed,
    Compares,
    Condition,
    Contains,
    Equals,
    Image,
    IsAbsent,
    IsNull,
    Like,
    Name,
    Not,
    Or,
    Relates,
    Value,
)
from workbench.model.differences import same

_COLUMN_VALUE = "value"  # stands in place of a type of DynamoDB's
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(condition: Condition, new: Image | None, old: Image | None, row: Mapping[str, Any] | None = None) -> bool:
    """Return whether a condition holds for a change, given its images as DynamoDB JSON, binary encoded once.

    A condition on columns is asked of their values in `row` too, also where there is no image.

    >>> from workbench.model.conditions import parse
    >>> holds(parse("age > 40"), {"age": {"N": "41"}}, None)
    True
    """
    columns = {name: {_COLUMN_VALUE: value} for name, value in (row or {}).items() if value is not None}
    images = [image for image in (new, old) if image is not None] or ([{}] if row is not None else [])
    return any(_holds(condition, {"": image, "new": new, "old": old, COLUMN: columns}) for image in images)


def _holds(condition: Condition, images: Mapping[str, Image | None]) -> bool:
    match condition:
        case And(parts):
            return all(_holds(part, images) for part in parts)
        case Or(parts):
            return any(_holds(part, images) for part in parts)
        case Not(part):
            return not _holds(part, images)
    if isinstance(condition, Changed):
        before, after = (_attribute_value(replace(condition.name, image=side), images) for side in ("old", "new"))
        return not (before is after is None or same(before, after))
    attribute = _attribute_value(condition.name, images)
    match condition:
        case IsAbsent():
            return attribute is None
        case IsNull():
            return attribute is not None and "NULL" in attribute
        case Like(_, pattern):
            return isinstance(text := _plain_value(attribute), str) and regex_of(pattern).fullmatch(text) is not None
        case Equals(_, values):
            own = _plain_value(attribute)
            return any(type(own) is type(value) and own == value for value in values)
        case Compares(_, sign, value):
            own = _plain_value(attribute)
            return type(own) is type(value) and _COMPARE[sign](own, value)
        case Contains(_, value):
            own = _plain_value(attribute)
            if isinstance(own, str) and isinstance(value, str):
                return value in own
            members = map(_plain_value, _members(attribute))
            return any(type(member) is type(value) and member == value for member in members)
        case Relates(_, sign, name):
            other = _attribute_value(name, images)
            if sign == "=":
                return attribute is not None and same(attribute, other)
            one, two = _plain_value(attribute), _plain_value(other)
            return type(one) is type(two) and isinstance(one, Decimal | str | bytes) and _COMPARE[sign](one, two)


def _attribute_value(name: Name, images: Mapping[str, Image | None]) -> Image | None:
    """Return the attribute's value as DynamoDB JSON, or its size as such; None where it is absent, or has no size."""
    attribute: Image | None = {"M": images[name.image] or {}}
    for step in name.path:
        if attribute is None:
            return None
        if isinstance(step, str):
            attribute = attribute.get("M", {}).get(step)
        else:
            attribute = next(iter(attribute.get("L", [])[step : step + 1]), None)
    return _size(attribute) if name.size else attribute


def _size(attribute: Image | None) -> Image | None:
    for kind, inner in (attribute or {}).items():
        if kind in ("S", "L", "M"):
            return {"N": str(len(inner))}
        if kind == "B":
            return {"N": str(len(base64.b64decode(inner, validate=True)))}
        if kind in ("SS", "NS", "BS"):
            return {"N": str(len(set(map(_plain_value, _members(attribute)))))}
    return None


def _members(attribute: Image | None) -> Iterator[Image]:
    """Yield the members of a list or a set as DynamoDB JSON; nothing else has members."""
    for kind, inner in (attribute or {}).items():
        if kind == "L":
            yield from inner
        elif kind in ("SS", "NS", "BS"):
            yield from ({kind[0]: member} for member in inner)


def _plain_value(attribute: Image | None) -> Value | None:
    for kind, inner in (attribute or {}).items():
        if kind == "N":
            return Decimal(canonical_number(inner))
        if kind == "B":
            return base64.b64decode(inner, validate=True)
        if kind in ("S", "BOOL", _COLUMN_VALUE):
            return inner  # type: ignore[no-any-return]
    return None


@cache
def regex_of(pattern: str) -> re.Pattern[str]:
    """Turn a pattern of `Like` into a regular expression whose time grows with text times pattern, and no faster.

    >>> bool(regex_of("A%_").fullmatch("Ann")), bool(regex_of("A!%").fullmatch("Ann"))
    (True, False)
    """
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
