"""What DynamoDB would refuse of an element of ``TransactWriteItems``, by its documented limits and rules.

Emulators take much of it. This reads expressions anew, by their grammar, and knows nothing of how
`workbench.model.item_writes` makes them, so that either finds the other's faults. Sources:

- https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
- https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
- https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
- conditions have the limit of 300 operators too, seen on AWS: https://github.com/scylladb/scylladb/issues/14473
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from workbench.model.canonical import PYTHON_TYPES, canonical_number
from workbench.model.sizes import DEEPEST, LARGEST_ITEM, LONGEST_KEYS, value_size

LONGEST_EXPRESSION = 4096
"""Bytes of an expression, before names and values are put in."""
MOST_OPERATORS = 300
"""Of an expression: comparisons, functions and AND."""
_LARGEST_SUBSTITUTES = 2 * 1024 * 1024  # bytes of all names and values of an element
_LONGEST_NAME = 65_535
_LONGEST_KEY_NAME = 255
_LONGEST_PLACEHOLDER = 255
_MEMBERS: Final = {
    "Put": {"TableName", "Item"},
    "Update": {"TableName", "Key", "UpdateExpression"},
    "Delete": {"TableName", "Key"},
}
_CONDITIONED = {"ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"}
_TABLE = re.compile(r"[a-zA-Z0-9_.-]{3,255}|arn:[a-z0-9-]+:dynamodb:[a-z0-9-]+:\d{12}:table/[a-zA-Z0-9_.-]{3,255}")
_PLACE = r"#\w+(?:\.#\w+)*"
_TERM = re.compile(
    rf"attribute_(?:not_)?exists\({_PLACE}\)|attribute_type\({_PLACE}, ?:\w+\)|{_PLACE} ?= ?:\w+", re.ASCII
)
_CLAUSE = re.compile(r"(SET|REMOVE) (.*?)(?= (?:SET|REMOVE) |$)", re.ASCII)
_ACTION = {
    "SET": re.compile(rf"({_PLACE}) ?= ?(:\w+)", re.ASCII),
    "REMOVE": re.compile(rf"({_PLACE})", re.ASCII),
}
_PLACES = re.compile(_PLACE, re.ASCII)
_USED = re.compile(r"[#:]\w+", re.ASCII)
_OPERATOR = re.compile(r"=| AND |attribute_\w+\(", re.ASCII)
_PLACEHOLDER = {sign: re.compile(rf"{sign}\w{{1,{_LONGEST_PLACEHOLDER - 1}}}", re.ASCII) for sign in "#:"}
_PLAIN_NUMBER = re.compile(r"-?\d{1,19}(?:\.\d{1,19})?", re.ASCII)  # of 38 digits at most
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def faults(element: Mapping[str, Any]) -> list[str]:
    """Return why DynamoDB, or our own rule that every write has a condition, would refuse an element; none, if good.

    Each is a short sentence without any value. What only the table knows is not looked at: that its key has these
    names, the types of its indexes' keys, and of an update the size of the whole item.

    Parameters
    ----------
    element
        ``Put``, ``Update`` or ``Delete``, DynamoDB JSON with binary as base64.

    >>> faults({"Delete": {"TableName": "persons", "Key": {"pk": {"S": ""}}}})
    ['the key attribute pk is empty', 'it has no condition on whether the item is there']
    """
    if not isinstance(element, Mapping) or len(element) != 1 or not _MEMBERS.keys() >= element.keys():
        return ["it is no Put, Update or Delete"]
    ((kind, body),) = element.items()
    if not isinstance(body, Mapping):
        return ["it holds no request"]
    found = [f"it has no {name}" for name in sorted(_MEMBERS[kind] - body.keys())]
    found += [
        f"it has {name}, which {kind} does not take" for name in sorted(body.keys() - _MEMBERS[kind] - _CONDITIONED)
    ]
    if found:
        return found
    try:
        return list(_faults(kind, body))
    except (AttributeError, TypeError, ValueError, KeyError):
        return ["it is not made as DynamoDB's requests are"]


def item_faults(image: Mapping[str, Any], indexed: Mapping[str, str] | None = None) -> list[str]:
    """Return why a table would refuse an item, as it is to be after a write; none, if it is good.

    An update's element cannot tell this: it holds what changes, not the item.

    Parameters
    ----------
    indexed
        Types S, N or B of the attributes that are keys of the table's indexes, by their names. An item without such
        an attribute is not in the index; one in which it is empty, or of another type, is refused.

    >>> item_faults({"pk": {"S": "p-1"}, "city": {"NULL": True}}, {"city": "S"})
    ['the attribute city is not of type S, which an index is made by']
    """
    found = list(_image_faults(image, "the item"))
    for name, kind in (indexed or {}).items():
        value = image.get(name)
        if value is None:
            continue
        if kind not in value:
            found.append(f"the attribute {name} is not of type {kind}, which an index is made by")
        elif not (size := _size(value)):
            found.append(f"the attribute {name} is empty, and an index is made by it")
        elif size > LONGEST_KEYS[0]:
            found.append(f"the attribute {name}, which an index is made by, has more than {LONGEST_KEYS[0]:,} bytes")
    return found


def _faults(kind: str, body: Mapping[str, Any]) -> Iterator[str]:
    if not _TABLE.fullmatch(body["TableName"]):
        yield "its TableName is no name of a table, nor an ARN"
    names: Mapping[str, str] = body.get("ExpressionAttributeNames", {})
    values: Mapping[str, Any] = body.get("ExpressionAttributeValues", {})
    image = body["Item"] if kind == "Put" else body["Key"]
    yield from _image_faults(image, "its item" if kind == "Put" else "its key")
    yield from _placeholder_faults(names, values)
    condition, update = body.get("ConditionExpression", ""), body.get("UpdateExpression", "")
    wanted = f"attribute_{'not_' if kind == 'Put' else ''}exists("
    terms = condition.split(" AND ") if condition else []
    present = [term[len(wanted) + 1 : -1] for term in terms if term.startswith(wanted + "#") and "." not in term]
    keys = dict.fromkeys(name for place in present if (name := names.get(f"#{place}", "")) in image)
    yield from _key_faults(image, list(keys), whole=kind != "Put")
    if not keys:
        yield "it has no condition on whether the item is there"
    yield from _expression_faults("ConditionExpression", condition)
    if not all(_TERM.fullmatch(term) for term in terms):
        yield "its ConditionExpression is not made of comparisons with =, attribute_ functions and AND"
    if any(name in body and not body[name] for name in _CONDITIONED):
        yield "it has an expression, names or values without anything in them"
    if kind == "Update":
        yield from _expression_faults("UpdateExpression", update)
        yield from _update_faults(update, names, values, image)
    used, given = {*_USED.findall(condition), *_USED.findall(update)}, {*names, *values}
    if not used <= given:
        yield "an expression uses a name or a value that is not given"
    if not given <= used:
        yield "a name or a value is given that no expression uses"


def _expression_faults(name: str, text: str) -> Iterator[str]:
    if (length := len(text.encode())) > LONGEST_EXPRESSION:
        yield f"its {name} has {length:,} bytes, of {LONGEST_EXPRESSION:,} that are allowed"
    if len(text) > MOST_OPERATORS and (operators := len(_OPERATOR.findall(text))) > MOST_OPERATORS:
        yield f"its {name} has {operators:,} operators, of {MOST_OPERATORS} that are allowed"
    if text.count(".") >= DEEPEST and any(place.count(".") >= DEEPEST for place in _PLACES.findall(text)):
        yield f"its {name} has a path of more than {DEEPEST} names"


def _update_faults(
    text: str, names: Mapping[str, str], values: Mapping[str, Any], key: Collection[str]
) -> Iterator[str]:
    clauses = _CLAUSE.findall(text)
    if not clauses or " ".join(f"{clause} {actions}" for clause, actions in clauses) != text:
        yield "its UpdateExpression is not made of SET and REMOVE"
        return
    if len({clause for clause, _ in clauses}) < len(clauses):
        yield "its UpdateExpression has a clause twice"
    paths: set[tuple[str, ...]] = set()
    above: set[tuple[str, ...]] = set()
    for clause, actions in clauses:
        for action in actions.split(", "):
            match = _ACTION[clause].fullmatch(action)
            if not match:
                yield f"its UpdateExpression has an action of {clause} that is none"
                continue
            path = tuple(names.get(part, part) for part in match[1].split("."))
            over = {path[:length] for length in range(1, len(path))}
            if path in paths or path in above or over & paths:
                yield "its UpdateExpression has paths that overlap"
            paths.add(path)
            above |= over
            if clause == "SET" and over and (wrong := _value_faults(values[match[2]], len(path))):
                yield f"what its UpdateExpression sets {wrong}"
            if path[0] in key:
                yield f"its UpdateExpression changes the key attribute {path[0]}"


def _placeholder_faults(names: Mapping[str, str], values: Mapping[str, Any]) -> Iterator[str]:
    for sign, given in (("#", names), (":", values)):
        for placeholder in given:
            if not _PLACEHOLDER[sign].fullmatch(placeholder):
                yield "a placeholder is not # or : and letters, digits or _, of up to 255 bytes"
    size = sum(len(placeholder) for placeholder in (*names, *values))
    for name in names.values():
        size += len(name.encode())
        if not 1 <= len(name.encode()) <= _LONGEST_NAME:
            yield f"an attribute's name is empty, or of more than {_LONGEST_NAME:,} bytes"
    for value in values.values():
        if wrong := _value_faults(value, 1):
            yield f"a value in its expressions {wrong}"
            continue
        size += (own := _size(value))
        if own > LARGEST_ITEM:
            yield f"a value in its expressions has {own:,} bytes, of {LARGEST_ITEM:,} that an item may have"
    if size > _LARGEST_SUBSTITUTES:
        yield f"its names and values have {size:,} bytes, of {_LARGEST_SUBSTITUTES:,} that are allowed"


def _image_faults(image: Mapping[str, Any], what: str) -> Iterator[str]:
    size = 0
    for name, value in image.items():
        if not 1 <= len(name.encode()) <= _LONGEST_NAME:
            yield f"an attribute's name is empty, or of more than {_LONGEST_NAME:,} bytes"
        elif wrong := _value_faults(value, 1):
            yield f"the attribute {name} {wrong}"
        else:
            size += len(name.encode()) + _size(value)
    if size > LARGEST_ITEM:
        yield f"{what} has {size:,} bytes, of {LARGEST_ITEM:,} that an item may have"


def _key_faults(image: Mapping[str, Any], first: list[str], *, whole: bool) -> Iterator[str]:
    """Yield what is wrong with key attributes: those a condition names, and where the image is the key, all of it."""
    keys = [*first, *(name for name in image if name not in first)] if whole else first
    if whole and not 1 <= len(keys) <= 2:
        yield "its key is not of one or two attributes"
    for name, longest in zip(keys, LONGEST_KEYS, strict=False):
        kinds = set(image[name]) & {"S", "N", "B"}
        if len(kinds) != 1:
            yield f"the key attribute {name} is not of type S, N or B"
        elif not (size := _size(image[name])):
            yield f"the key attribute {name} is empty"
        elif size > longest:
            yield f"the key attribute {name} has {size:,} bytes, of {longest:,} that are allowed"
        if len(name.encode()) > _LONGEST_KEY_NAME:
            yield f"the name of a key attribute has more than {_LONGEST_KEY_NAME} bytes"


def _value_faults(value: Any, level: int) -> str:
    """Return what is wrong with a value, as the end of a sentence; nothing, if it is good."""
    if (type(value) is not dict and not isinstance(value, Mapping)) or len(value) != 1:
        return "is not of one type"
    ((kind, inner),) = value.items()
    if kind not in PYTHON_TYPES or not isinstance(inner, PYTHON_TYPES[kind]):
        return "is of no type that DynamoDB has"
    if kind == "S":
        return _text_faults(inner)
    if kind == "N":
        return _number_faults(inner)
    if kind == "B":
        return _binary_faults(inner)
    if kind == "BOOL":
        return ""
    if kind == "NULL":
        return "" if inner else "is a NULL of false"
    if kind in ("M", "L"):
        if level >= DEEPEST:
            return f"lies more than {DEEPEST} levels deep"
        if kind == "M" and not all(1 <= len(name.encode()) <= _LONGEST_NAME for name in inner):
            return f"holds a name that is empty, or of more than {_LONGEST_NAME:,} bytes"
        children = inner.values() if kind == "M" else inner
        return next((wrong for child in children if (wrong := _value_faults(child, level + 1))), "")
    return _set_faults(kind, inner)


def _set_faults(kind: str, members: list[Any]) -> str:
    check = {"SS": _text_faults, "NS": _number_faults, "BS": _binary_faults}[kind]
    if not members:
        return "is an empty set"
    if not all(isinstance(member, str) for member in members):
        return "is a set of something else than texts"
    if wrong := next((wrong for member in members if (wrong := check(member))), ""):
        return wrong
    different = {canonical_number(member) for member in members} if kind == "NS" else set(members)
    return "" if len(different) == len(members) else "is a set that has a member twice"


def _text_faults(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode"
    return ""


def _number_faults(text: str) -> str:
    if _PLAIN_NUMBER.fullmatch(text):
        return ""
    if not _NUMBER.fullmatch(text):
        return "is not a number"
    number = Decimal(text)
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > 38:
        return "is a number of more than 38 digits"
    return "" if not digits or -130 <= number.adjusted() <= 125 else "is a number beyond 1E-130 to 9.9E+125"


def _binary_faults(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return "is not base64"
    return ""


def _size(value: Mapping[str, Any]) -> int:
    return value_size(*next(iter(value.items())))[0]
