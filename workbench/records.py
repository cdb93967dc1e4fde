"""Kinesis-for-DynamoDB record → canonical change (standard library only: a Lambda runs this same file).

A canonical change is one row of the relation `changes`: a dict with the keys in `COLUMNS`. Its
`keys`, `new_image` and `old_image` are canonical DynamoDB JSON: sorted names, sorted sets, numbers in
one spelling, minimal white space, so that equal items have equal text.

Kinesis Data Streams for DynamoDB encodes binary values in base64 twice; a canonical image has them
encoded once, as every other DynamoDB JSON does. The presence of `event_id` (our spelling) instead of
`eventID` (AWS's) is the mark that this was done, so nothing is ever decoded a second time.

Facts: the record's form is in "Using shards and metrics with DynamoDB Streams in Kinesis Data Streams"
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_using-shards-and-metrics.html),
the types in the DynamoDB API reference, `AttributeValue`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

COLUMNS = (
    "event_id", "event_name", "table_name", "ts", "keys", "new_image", "old_image", "size_bytes", "by_ttl",
    "aws_region", "account_id",
)  # fmt: skip
ORIGIN = ("aws_region", "account_id")
"""Where the table is, as far as the record tells: older envelopes do not have these columns."""
EVENTS = ("INSERT", "MODIFY", "REMOVE")
TTL_PRINCIPAL = "dynamodb.amazonaws.com"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"(-?)(\d*)\.?(\d*)(?:[eE]([+-]?\d{1,6}))?", re.ASCII)
_PLAIN_INTEGER = re.compile(r"0|-?[1-9]\d{0,37}", re.ASCII)
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{1,20}", re.ASCII)
_STREAM = re.compile(r"arn:[a-z-]*:dynamodb:([A-Za-z0-9-]*):([0-9]*):table/", re.ASCII)
_LONGEST_PLAIN = 38  # digits written out on either side of the point before the exponent form is used


class RecordRefused(ValueError):
    """The input is no change record; the message says why, by path and type: a value in it may be a masked one."""


def canonical_number(text: str) -> str:
    """Spell a DynamoDB number in its one canonical form, exactly.

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
        return _unicode(_encode(_attributes(image, _decode_once if twice else _binary)))
    except RecursionError as error:
        raise RecordRefused("nested too deeply") from error


def canonical_change(record: Mapping[str, Any]) -> dict[str, Any]:
    """Turn one change record into the row of `changes` that it is.

    Takes a Kinesis record of DynamoDB ("raw"), or a row written by this function before ("envelope"),
    which comes back unchanged.

    Returns
    -------
    dict
        The keys of `COLUMNS`; `ts` as ``YYYY-MM-DD HH:MM:SS.ffffff`` in UTC.

    Raises
    ------
    RecordRefused
        With the reason, for anything that is no change record.
    """
    if not isinstance(record, Mapping):
        raise RecordRefused(f"a JSON {type(record).__name__}, not an object")
    if "event_id" in record and "keys" in record:
        return _checked_envelope(record)
    change = record.get("dynamodb")
    if not isinstance(change, Mapping):
        raise RecordRefused("no 'dynamodb' object: not a change record")
    event, identity = record.get("eventName"), record.get("userIdentity")
    keys, new, old = change.get("Keys"), change.get("NewImage"), change.get("OldImage")
    if not isinstance(keys, Mapping):
        raise RecordRefused("no 'Keys' object")
    return {
        "event_id": _text(record, "eventID"),
        "event_name": _event(event, new is not None, old is not None),
        "table_name": _table_name(record),
        "ts": canonical_time(change.get("ApproximateCreationDateTime"),
                             change.get("ApproximateCreationDateTimePrecision")),
        "keys": canonical_keys(keys, twice=True),
        "new_image": None if new is None else canonical_json(new, twice=True),
        "old_image": None if old is None else canonical_json(old, twice=True),
        "size_bytes": _size(change.get("SizeBytes")),
        "by_ttl": event == "REMOVE" and isinstance(identity, Mapping)
        and {"Service", TTL_PRINCIPAL} <= {str(value) for value in identity.values()},
        **_origin(record.get("awsRegion"), record.get("eventSourceARN")),
    }  # fmt: skip


def parse_objects(text: str) -> Iterator[Any]:
    """Yield every JSON value of a line, also those that follow each other without a newline.

    A part that cannot be parsed is yielded as a `RecordRefused`; what stood before it is kept.
    """
    decoder, at, end = json.JSONDecoder(parse_float=Decimal), 0, len(text)
    while True:
        while at < end and text[at] in " \t\r\n\ufeff\x1e":
            at += 1
        if at == end:
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            yield RecordRefused(f"not JSON at character {error.pos + 1}: {error.msg}")
            return
        except RecursionError:
            yield RecordRefused("nested too deeply")
            return
        except ValueError:  # Python reads integers of up to 4,300 digits
            yield RecordRefused("a number of thousands of digits")
            return
        yield value


def _event(event: object, has_new: bool, has_old: bool) -> str:
    if event not in EVENTS:
        raise RecordRefused(f"eventName is {_kind(event)}, not one of INSERT, MODIFY, REMOVE")
    if has_new is (event == "REMOVE"):
        raise RecordRefused(f"{event} {'with a' if has_new else 'without a'} new image")
    if has_old and event == "INSERT":
        raise RecordRefused("INSERT with an old image")
    return str(event)


def _kind(value: object) -> str:
    """Say of what type a value is that must not be shown."""
    return "NaN" if value != value else "missing" if value is None else f"a {type(value).__name__}"


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise RecordRefused(f"no {name!r}")
    return _unicode(str(value))


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RecordRefused("a text is not valid Unicode (lone surrogate)") from error
    return text


def _origin(region: object, arn: object, account: object = None) -> dict[str, str | None]:
    """Tell a table's Region and account; the stream's ARN, which DynamoDB Streams give, has both."""
    told = _STREAM.match(arn) if isinstance(arn, str) else None
    if not (isinstance(region, str) and _REGION.fullmatch(region)):
        region = (told and told[1]) or None
    if not (isinstance(account, str) and _ACCOUNT.fullmatch(account)):
        account = (told and told[2]) or None
    return {"aws_region": region, "account_id": account}


def _table_name(record: Mapping[str, Any]) -> str:
    # A record of DynamoDB Streams names its table only in the stream's ARN: …:table/NAME/stream/…
    arn = re.search(r":table/([^/]+)", str(record.get("eventSourceARN", "")))
    return arn[1] if arn and not record.get("tableName") else _text(record, "tableName")


def canonical_time(value: Any, precision: object = None) -> str:
    """Normalise milliseconds, microseconds (and the seconds of DynamoDB Streams), record by record.

    >>> canonical_time(1719347890250), canonical_time(1719347890250647, "MICROSECOND")
    ('2024-06-25 20:38:10.250000', '2024-06-25 20:38:10.250647')
    """
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, str) and (told := _iso_time(value)):
        return told
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or value != value:
        raise RecordRefused(f"ApproximateCreationDateTime is {_kind(value)}, not a number")
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


def _iso_time(text: str) -> str | None:
    """Read the time as the AWS CLI and SDKs print it, ``2026-11-18T12:00:00+01:00``."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def canonical_keys(keys: Mapping[str, Any], *, twice: bool = False) -> str:
    """Write the key attributes as canonical DynamoDB JSON text, having checked that they can be keys."""
    if not isinstance(keys, Mapping) or not 1 <= len(keys) <= 2:
        raise RecordRefused("the keys are not one or two attributes")
    for name, value in keys.items():
        if not isinstance(value, Mapping) or set(value) - {"S", "N", "B"}:
            raise RecordRefused(f"key {name!r} is not of type S, N or B")
    return canonical_json(keys, twice=twice)


def _checked_envelope(row: Mapping[str, Any]) -> dict[str, Any]:
    change: dict[str, Any] = {column: row.get(column) for column in COLUMNS}
    for name in ("keys", "new_image", "old_image"):
        if change[name] is None and name != "keys":
            continue
        if not isinstance(change[name], str):
            raise RecordRefused(f"{name} is not JSON text")
        try:
            parsed = json.loads(change[name])
        except (ValueError, RecursionError) as error:
            raise RecordRefused(f"{name} is not JSON: {error}") from error
        change[name] = canonical_keys(parsed) if name == "keys" else canonical_json(parsed)
    _event(change["event_name"], change["new_image"] is not None, change["old_image"] is not None)
    try:
        moment = datetime.fromisoformat(str(change["ts"]).replace("Z", "+00:00"))
        moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise RecordRefused(f"ts is {_kind(change['ts'])}, not a time") from None  # which would show it
    return change | {
        "event_id": _text(change, "event_id"), "table_name": _text(change, "table_name"),
        "ts": moment.isoformat(" ", "microseconds"), "size_bytes": _size(change["size_bytes"]),
        "by_ttl": change["event_name"] == "REMOVE" and str(change["by_ttl"]).lower() == "true",
        **_origin(change["aws_region"], None, change["account_id"]),
    }  # fmt: skip


def _binary(text: str) -> str:
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except (binascii.Error, ValueError):
        raise RecordRefused("B is not base64") from None


def _decode_once(text: str) -> str:
    """Undo the second encoding; a value that was encoded only once is kept as it is."""
    try:
        return _binary(base64.b64decode(text, validate=True).decode("ascii"))
    except (ValueError, RecordRefused):
        return _binary(text)


def _attributes(image: object, binary: Callable[[str], str]) -> dict[str, Any]:
    if not isinstance(image, dict):
        raise RecordRefused("not an object of attributes")
    checked = {}
    for name, value in image.items():
        try:
            checked[name] = _value(value, binary)
        except RecordRefused as error:  # the path is put together only where it is needed
            raise RecordRefused(f"attribute {name!r}: {error}") from error
    return checked


def _value(value: object, binary: Callable[[str], str]) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) != 1:
        raise RecordRefused('not DynamoDB JSON like {"S": …}')
    ((kind, inner),) = value.items()
    wanted = _HOLDS.get(kind)
    if wanted is None:
        raise RecordRefused(f"unknown type {kind!r}")
    if not isinstance(inner, wanted):
        raise RecordRefused(f"{kind} holds a {type(inner).__name__}")
    if wanted is str:
        return {kind: inner if kind == "S" else canonical_number(inner) if kind == "N" else binary(inner)}
    if wanted is bool:
        return {kind: inner}
    if kind == "M":
        return {"M": _attributes(inner, binary)}
    if kind == "L":
        return {"L": [_value(element, binary) for element in inner]}
    if not all(isinstance(element, str) for element in inner):
        raise RecordRefused(f"{kind} holds something that is no text")
    if kind == "SS":
        return {"SS": sorted(set(inner))}
    if kind == "NS":
        return {"NS": sorted({canonical_number(number) for number in inner}, key=Decimal)}
    return {"BS": sorted({binary(element) for element in inner})}


_HOLDS: dict[str, Any] = {"S": str, "N": str, "B": str, "BOOL": bool, "NULL": bool, "M": dict, "L": list,
                          "SS": list, "NS": list, "BS": list}  # fmt: skip
