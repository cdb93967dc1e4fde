"""An item's values: DynamoDB JSON ↔ Python, typed and lossless."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from workbench.errors import ParameterError, RecordRefused
from workbench.model.canonical import PYTHON_TYPES, canonical_json, canonical_number


def from_dynamodb(image: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Python values of a DynamoDB JSON image.

    N becomes int where it is an integer of up to 38 digits, else Decimal; B bytes; sets frozenset;
    NULL None. Binary is expected base64-encoded once.

    Raises
    ------
    RecordRefused
        Where the image is not DynamoDB JSON.

    >>> from_dynamodb({"pk": {"S": "p-1"}, "age": {"N": "41"}, "tags": {"SS": ["vip"]}})
    {'pk': 'p-1', 'age': 41, 'tags': frozenset({'vip'})}
    """
    try:
        return {name: plain_value(value) for name, value in image.items()}
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        canonical_json(dict(image))  # says which attribute it is, and why
        raise RecordRefused(f"not DynamoDB JSON: {type(error).__name__}") from None


def to_dynamodb(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the DynamoDB JSON image of Python values; the inverse of `from_dynamodb`.

    Raises
    ------
    ParameterError
        For a value DynamoDB cannot hold: a number of more than 38 digits or out of range, an empty or
        mixed set, NaN, any other type. The message names the attribute.

    >>> to_dynamodb({"pk": "p-1", "age": 41, "note": None})
    {'pk': {'S': 'p-1'}, 'age': {'N': '41'}, 'note': {'NULL': True}}
    """
    image = {}
    for name, value in item.items():
        if not isinstance(name, str):
            raise ParameterError(f"attribute name {name!r} is a {type(name).__name__}, not a text")
        try:
            image[name] = typed_value(value)
        except ParameterError as error:
            raise ParameterError(f"attribute {name!r}: {error}") from error
    return image


def plain_value(value: Mapping[str, Any]) -> Any:
    """Return the Python value of a DynamoDB JSON value.

    Raises
    ------
    AttributeError, TypeError, ValueError, KeyError
        Where it is none; `from_dynamodb` says which attribute and why.

    >>> plain_value({"L": [{"N": "1"}, {"B": "/w=="}]})
    [1, b'\\xff']
    """
    kind: str
    inner: Any
    ((kind, inner),) = value.items()
    if type(inner) is not PYTHON_TYPES[kind]:
        raise TypeError(f"{kind} holds a {type(inner).__name__}")
    if kind == "S":
        return inner
    if kind == "N":
        return exact_number(inner)
    if kind == "BOOL":
        return inner
    if kind == "M":
        return {name: plain_value(child) for name, child in inner.items()}
    if kind == "L":
        return [plain_value(child) for child in inner]
    if kind == "NULL":
        return None
    if kind == "B":
        return base64.b64decode(inner, validate=True)
    if {*map(type, inner)} - {str}:
        raise TypeError(f"{kind} holds something that is no text")
    if kind == "SS":
        return frozenset(inner)
    return frozenset(map(exact_number, inner) if kind == "NS" else (base64.b64decode(b, validate=True) for b in inner))


def exact_number(text: str) -> int | Decimal:
    """Return the value of an N: an int where it is an integer of up to 38 digits, else a Decimal.

    >>> exact_number("1E2"), exact_number("1.50")
    (100, Decimal('1.5'))
    """
    canonical = canonical_number(text)
    return Decimal(canonical) if "." in canonical or "E" in canonical else int(canonical)


def typed_value(value: Any) -> dict[str, Any]:
    """Return a Python value as DynamoDB JSON.

    Raises
    ------
    ParameterError
        For a value DynamoDB cannot hold.

    >>> typed_value({1, 2}), typed_value(b"")
    ({'NS': ['1', '2']}, {'B': ''})
    """
    if isinstance(value, str):
        return {"S": str(value)}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool | np.bool_):
        return {"BOOL": bool(value)}
    if isinstance(value, int | float | Decimal | np.number):
        return {"N": _number_text(value)}
    if isinstance(value, bytes | bytearray):
        return {"B": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {"M": to_dynamodb(value)}
    if isinstance(value, list | tuple | np.ndarray):
        return {"L": [typed_value(element) for element in value]}
    if isinstance(value, set | frozenset):
        return _to_set(value)
    raise ParameterError(f"a {type(value).__name__} cannot be stored in DynamoDB")


def _to_set(value: set[Any] | frozenset[Any]) -> dict[str, Any]:
    members = [typed_value(element) for element in value]
    kinds = {kind for member in members for kind in member}
    if len(kinds) != 1 or not kinds <= {"S", "N", "B"}:
        raise ParameterError("a set must hold at least one member, and only texts, only numbers or only bytes")
    (kind,) = kinds
    order = Decimal if kind == "N" else str
    return {kind + "S": sorted({member[kind] for member in members}, key=order)}


def _number_text(value: Any) -> str:
    number = (
        Decimal(repr(float(value)))
        if isinstance(value, float | np.floating)
        else Decimal(int(value))
        if not isinstance(value, Decimal)
        else value
    )
    if not number.is_finite():
        raise ParameterError("not a number DynamoDB can store")
    text = canonical_number(str(number)) if not number or -130 <= number.adjusted() <= 125 else ""
    if not text or len(re.sub(r"E.*|[-.]", "", text).strip("0")) > 38:
        raise ParameterError("a number has more than 38 digits or is outside DynamoDB's range of 1E-130 to 9.9E+125")
    return text
