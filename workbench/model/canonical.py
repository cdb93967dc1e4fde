"""Canonical forms of numbers, images, keys and times: equal values have equal text.

Canonical DynamoDB JSON has sorted names, sorted sets, numbers in one spelling and minimal white space. The standard
library is all this needs: Lambdas run it too.

An attribute that is null is absent, and so is a null beside the one type a value has, as writers with a fixed schema
(Spark, Flink, Glue) leave them: ``{"S":"a","N":null}`` is ``{"S":"a"}``. A value that has no type at all, ``{}``, is
unknown, and refused.

The types are those of the DynamoDB API reference, `AttributeValue`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from workbench.errors import RecordRefused

PYTHON_TYPES: Mapping[str, Any] = {
    "S": str,
    "N": str,
    "B": str,
    "BOOL": bool,
    "NULL": bool,
    "M": dict,
    "L": list,
    "SS": list,
    "NS": list,
    "BS": list,
}
"""The type of DynamoDB JSON values by their type descriptors, when read as JSON."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"(-?)(\d*)\.?(\d*)(?:[eE]([+-]?\d{1,6}))?", re.ASCII)
_PLAIN_INTEGER = re.compile(r"0|-?[1-9]\d{0,37}", re.ASCII)
# JSON has a quote after { or , only where a name begins, as those in a text have a backslash before them.
_BINARY = re.compile(r'\{"B":"([A-Za-z0-9+/=]*)"\}|\{"BS":\[((?:"[A-Za-z0-9+/=]*",?)*)\]\}')
_BINARY_KIND = re.compile(r'[{,]\s*"BS?"\s*:\s*["\[]')
_BASE64 = re.compile(r"[A-Za-z0-9+/=]+")
_LONGEST_PLAIN = 38  # digits written out on either side of the point before the exponent form is used


def canonical_number(text: str) -> str:
    """Return a DynamoDB number in its one canonical spelling, exactly.

    Raises
    ------
    RecordRefused
        Where the text is no number.

    >>> [canonical_number(n) for n in ("1.50", "1E+2", "-0", "1e-130")]
    ['1.5', '100', '0', '1E-130']
    """
    if _PLAIN_INTEGER.fullmatch(text):
        return text
    match = _NUMBER.fullmatch(text)
    if not match or not (match[2] or match[3]):
        raise RecordRefused("N is not a number")
    sign, whole, fraction, exponent = match[1], match[2], match[3], int(match[4] or 0) - len(match[3])
    digits = (whole + fraction).lstrip("0")
    stripped = digits.rstrip("0")
    exponent += len(digits) - len(stripped)
    if not stripped:
        return "0"
    if exponent >= 0 and len(stripped) + exponent <= _LONGEST_PLAIN:
        return sign + stripped + "0" * exponent
    if -_LONGEST_PLAIN <= exponent < 0:
        padded = stripped.rjust(1 - exponent, "0")
        return f"{sign}{padded[:exponent]}.{padded[exponent:]}"
    mantissa = stripped[0] + ("." + stripped[1:] if len(stripped) > 1 else "")
    return f"{sign}{mantissa}E{len(stripped) - 1 + exponent:+d}"


def canonical_json(image: Mapping[str, Any], *, twice: bool = False) -> str:
    """Write an image as canonical DynamoDB JSON text.

    Parameters
    ----------
    twice
        Binary values are base64-encoded twice, as in a Kinesis record, and come out encoded once.

    Raises
    ------
    RecordRefused
        Where the image is not DynamoDB JSON; the message names the attribute.

    >>> canonical_json({"b": {"NS": ["10", "9.0"]}, "a": {"S": ""}})
    '{"a":{"S":""},"b":{"NS":["9","10"]}}'
    """
    try:
        return valid_unicode(_encode(_canonical_attributes(image, _decode_once if twice else _canonical_binary)))
    except RecursionError as error:
        raise RecordRefused("nested too deeply") from error


def canonical_image(image: Mapping[str, Any]) -> dict[str, Any]:
    """Return an image's values in canonical form, binary encoded once; what is null is left out.

    Raises
    ------
    RecordRefused
        Where the image is not DynamoDB JSON; the message names the attribute.

    >>> canonical_image({"b": {"NS": ["10", "9.0"]}, "a": None})
    {'b': {'NS': ['9', '10']}}
    """
    try:
        return _canonical_attributes(image, _canonical_binary)
    except RecursionError as error:
        raise RecordRefused("nested too deeply") from error


def binary_once(image: str) -> str:
    """Return an image whose binary is base64-encoded twice with binary encoded once, and else as it is written.

    Where it does not stand in the image alone and without white space, the image comes in canonical form.

    Parameters
    ----------
    image
        DynamoDB JSON text.

    Raises
    ------
    RecordRefused
        Where its binary is none, or, as far as it is looked at, where it is not DynamoDB JSON.

    >>> binary_once('{"v":{"B":"QVFJPQ=="},"n":{"N":"1.0"}}')
    '{"v":{"B":"AQI="},"n":{"N":"1.0"}}'
    """
    decoded, alone = _BINARY.subn(_decoded_binary, image)
    if alone == sum(1 for _ in _BINARY_KIND.finditer(image)):
        return decoded
    try:
        return canonical_json(json.loads(image), twice=True)
    except (ValueError, RecursionError):
        raise RecordRefused("an image is not JSON") from None  # which would show it


def _decoded_binary(match: re.Match[str]) -> str:
    if match[1] is not None:
        return f'{{"B":"{_decode_once(match[1])}"}}'
    return f'{{"BS":[{_BASE64.sub(lambda member: _decode_once(member[0]), match[2])}]}}'


def canonical_text(text: str) -> str:
    """Return an image, given as DynamoDB JSON text with binary encoded once, in canonical form.

    Raises
    ------
    RecordRefused
        Where the text is no image.

    >>> canonical_text('{"n": {"N": "1.50"}}')
    '{"n":{"N":"1.5"}}'
    """
    try:
        image = json.loads(text)
    except (ValueError, RecursionError):
        raise RecordRefused("an image is not JSON") from None  # which would show it
    return canonical_json(image)


def image_digest(image: Mapping[str, Any] | None) -> str:
    """Return the SHA-256 of an image's canonical form, by which images are told apart; '' of an item that is not there.

    >>> image_digest({"n": {"N": "1.50"}}) == image_digest({"n": {"N": "1.5"}}), image_digest(None)
    (True, '')
    """
    return "" if image is None else hashlib.sha256(canonical_json(image).encode()).hexdigest()


def canonical_keys(keys: Mapping[str, Any], *, twice: bool = False) -> str:
    """Write the key attributes as canonical DynamoDB JSON text, having checked that they can be keys.

    Raises
    ------
    RecordRefused
        Where they are not one or two attributes of type S, N or B.

    >>> canonical_keys({"sk": {"N": "07"}, "pk": {"S": "p-1"}})
    '{"pk":{"S":"p-1"},"sk":{"N":"7"}}'
    """
    keys = {name: value for name, value in keys.items() if value is not None} if isinstance(keys, Mapping) else {}
    if not 1 <= len(keys) <= 2:
        raise RecordRefused("the keys are not one or two attributes")
    for name, value in keys.items():
        if not isinstance(value, Mapping) or {kind for kind in value if value[kind] is not None} - {"S", "N", "B"}:
            raise RecordRefused(f"key {name!r} is not of type S, N or B")
    return canonical_json(keys, twice=twice)


def canonical_time(value: Any, precision: object = None) -> str:
    """Return a time as ``YYYY-MM-DD HH:MM:SS.ffffff`` in UTC, of milliseconds, microseconds, seconds or ISO 8601 text.

    Parameters
    ----------
    precision
        The record's ApproximateCreationDateTimePrecision. Without one the number of digits tells, as of the seconds of
        DynamoDB Streams.

    Raises
    ------
    RecordRefused
        Where it is no time.

    >>> canonical_time(1719347890250), canonical_time(1719347890250647, "MICROSECOND")
    ('2024-06-25 20:38:10.250000', '2024-06-25 20:38:10.250647')
    """
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, str) and (written := _iso_time(value)):
        return written
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or value != value:
        raise RecordRefused(f"ApproximateCreationDateTime is {kind_of(value)}, not a number")
    if precision == "MICROSECOND":
        scale = 1
    elif precision == "MILLISECOND":
        scale = 1_000
    else:  # without the field, the number of digits tells: 10 are seconds, 13 milliseconds, 16 microseconds
        scale = 1_000_000 if -(10**11) < value < 10**11 else 1_000 if -(10**14) < value < 10**14 else 1
    try:
        moment = _EPOCH + timedelta(microseconds=round(value * scale))
    except ArithmeticError as error:
        raise RecordRefused("ApproximateCreationDateTime is out of range") from error
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")


def refuse_images(texts: Iterable[str | None]) -> None:
    """Raise RecordRefused where one of these is no image: asked after an error, to tell it from a fault of the code.

    >>> refuse_images(['{"age":{"N":"41"}}', None])
    """
    for text in texts:
        if text is not None:
            canonical_text(text)


def kind_of(value: object) -> str:
    """Return words for the type of a value that must not be shown itself.

    >>> kind_of(None), kind_of(float("nan")), kind_of("ann@example.com")
    ('missing', 'NaN', 'a str')
    """
    return "NaN" if value != value else "missing" if value is None else f"a {type(value).__name__}"


def valid_unicode(text: str) -> str:
    """Return a text that can be written as UTF-8.

    Raises
    ------
    RecordRefused
        Where it cannot, for a lone surrogate in it.

    >>> valid_unicode("Ångström")
    'Ångström'
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RecordRefused("a text is not valid Unicode (lone surrogate)") from error
    return text


def _iso_time(text: str) -> str | None:
    """Read the time as the AWS CLI and SDKs print it, ``2026-11-18T12:00:00+01:00``."""
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC").replace("Z", "+00:00"))
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def _canonical_attributes(image: object, binary: Callable[[str], str]) -> dict[str, Any]:
    if not isinstance(image, dict):
        raise RecordRefused("not an object of attributes")
    checked = {}
    for name, value in image.items():
        if value is None:
            continue
        try:
            checked[name] = _canonical_value(value, binary)
        except RecordRefused as error:  # the path is put together only where it is needed
            raise RecordRefused(f"attribute {name!r}: {error}") from error
    return checked


def _canonical_value(value: object, binary: Callable[[str], str]) -> dict[str, Any]:
    if isinstance(value, dict) and len(value) > 1:
        value = {kind: inner for kind, inner in value.items() if inner is not None}
    if not isinstance(value, dict) or len(value) != 1:
        raise RecordRefused('not DynamoDB JSON like {"S": …}')
    ((kind, inner),) = value.items()
    wanted = PYTHON_TYPES.get(kind)
    if wanted is None:
        raise RecordRefused(f"unknown type {kind!r}")
    if not isinstance(inner, wanted):
        raise RecordRefused(f"{kind} holds a {type(inner).__name__}")
    if wanted is str:
        return {kind: inner if kind == "S" else canonical_number(inner) if kind == "N" else binary(inner)}
    if wanted is bool:
        return {kind: inner}
    if kind == "M":
        return {"M": _canonical_attributes(inner, binary)}
    if kind == "L":
        return {"L": [_canonical_value(element, binary) for element in inner]}
    if not all(isinstance(element, str) for element in inner):
        raise RecordRefused(f"{kind} holds something that is no text")
    if kind == "SS":
        return {"SS": sorted(set(inner))}
    if kind == "NS":
        return {"NS": sorted({canonical_number(number) for number in inner}, key=Decimal)}
    return {"BS": sorted({binary(element) for element in inner})}


def _canonical_binary(text: str) -> str:
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except (binascii.Error, ValueError):
        raise RecordRefused("B is not base64") from None


def _decode_once(text: str) -> str:
    """Undo the second encoding; a value that was encoded only once is kept as it is."""
    try:
        return _canonical_binary(base64.b64decode(text, validate=True).decode("ascii"))
    except (ValueError, RecordRefused):
        return _canonical_binary(text)
