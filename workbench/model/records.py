"""Kinesis-for-DynamoDB record → canonical change (standard library only: a Lambda runs this same file).

A canonical change is one row of the relation `changes`: a dict with the keys in `COLUMNS`. Its
`keys`, `new_image` and `old_image` are canonical DynamoDB JSON: sorted names, sorted sets, numbers in
one spelling, minimal white space, so that equal items have equal text.

What a record is, is decided once, by all of it (`layout_of_record`), and its columns are then read in that layout
alone: a name more at the top, such as `ts` beside a whole `dynamodb`, changes nothing.

Binary values are encoded in base64 once in a canonical image, as in every DynamoDB JSON but one: Kinesis Data Streams
for DynamoDB encodes them twice. So the kind of a record tells (`is_twice_encoded`): what is no record of DynamoDB
Streams, by the fields that only these have, is decoded once more where its values allow it; an envelope never is.

An attribute that is null is absent, and so is a null beside the one type a value has, as writers with a fixed schema
(Spark, Flink, Glue) leave them: ``{"S":"a","N":null}`` is ``{"S":"a"}``. A value that has no type at all, ``{}``, is
unknown, and its record is refused. An image without attributes is none: ``"OldImage":{}`` of an INSERT.

A stream that has no new images (KEYS_ONLY, OLD_IMAGE) gives changes too: an INSERT or MODIFY whose `new_image` is None
is one whose image the stream does not have. A REMOVE never has one. What must have an image by its kind (a Kinesis
record, or one of a stream whose StreamViewType says so) and has none is refused.

Facts: the record's form is in "Using shards and metrics with DynamoDB Streams in Kinesis Data Streams"
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_using-shards-and-metrics.html),
the types in the DynamoDB API reference, `AttributeValue`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from workbench.errors import RecordRefused

Layout = Literal["envelope", "raw", "flat"]
COLUMN_TYPES: Mapping[str, Literal["varchar", "timestamp", "bigint", "boolean"]] = {
    "event_id": "varchar",
    "event_name": "varchar",
    "table_name": "varchar",
    "ts": "timestamp",
    "keys": "varchar",
    "new_image": "varchar",
    "old_image": "varchar",
    "size_bytes": "bigint",
    "by_ttl": "boolean",
    "aws_region": "varchar",
    "account_id": "varchar",
}
"""The columns of a change and their types in SQL, as Athena and DuckDB both call them. `workbench.log.objects.SCHEMA`
has them in Arrow's terms, `workbench.aws.table_definitions` in Hive's."""
COLUMNS = tuple(COLUMN_TYPES)
ORIGIN = ("aws_region", "account_id")
"""Where the table is, as far as the record tells: older envelopes do not have these columns."""
EVENTS = ("INSERT", "MODIFY", "REMOVE")
METADATA = {
    "eventid": "event_id",
    "eventname": "event_name",
    "tablename": "table_name",
    "ts": "ts",
    "keys": "keys",
    "approximatecreationdatetime": "ts",
    "sizebytes": "size_bytes",
    "byttl": "by_ttl",
    "approximatecreationdatetimeprecision": "precision",
    "attributevalues": "attribute_values",
}
"""The columns of a flat row that are not attributes, by their plain names."""
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
TTL_PRINCIPAL = "dynamodb.amazonaws.com"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"(-?)(\d*)\.?(\d*)(?:[eE]([+-]?\d{1,6}))?", re.ASCII)
_PLAIN_INTEGER = re.compile(r"0|-?[1-9]\d{0,37}", re.ASCII)
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{1,20}", re.ASCII)
_STREAM = re.compile(r"arn:[a-z-]*:dynamodb:([A-Za-z0-9-]*):([0-9]*):table/", re.ASCII)
_LONGEST_PLAIN = 38  # digits written out on either side of the point before the exponent form is used


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


def canonical_text(text: str) -> str:
    """Return an image, given as DynamoDB JSON text with binary encoded once, in canonical form.

    Raises
    ------
    RecordRefused
        Where the text is no image.
    """
    try:
        image = json.loads(text)
    except (ValueError, RecursionError):
        raise RecordRefused("an image is not JSON") from None  # which would show it
    return canonical_json(image)


def refuse_images(texts: Iterable[str | None]) -> None:
    """Raise RecordRefused where one of these is no image: asked after an error, to tell it from a fault of the code."""
    for text in texts:
        if text is not None:
            canonical_text(text)


def layout_of_record(record: Mapping[str, Any]) -> Layout | None:
    """Tell what kind of record this is, by all of it; None where it is no change record.

    - ``raw``: it has a `dynamodb` object and an `eventName`, whatever else stands beside them;
    - ``envelope``: else, it has `keys` and the name of an image, `new_image` or `old_image`. Where its key attributes
      are columns too, one of its images must hold the key: else these names are attributes of a flat row;
    - ``flat``: else, it has an event's name in any spelling, and its other columns are attributes.
    """
    if isinstance(_member(record, "dynamodb"), Mapping) and _member(record, "eventName") is not None:
        return "raw"
    images = [record[name] for name in ("new_image", "old_image") if name in record]
    if images and "keys" in record:
        keys = _parsed(record["keys"])
        if not keys or not all(name in record for name in keys):
            return "envelope"
        if images == [None, None] or any(_holds(_parsed(image) or {}, min(keys), keys) for image in images):
            return "envelope"
    spelled = {METADATA.get(plain_name(name)) for name in record}
    return "flat" if "event_name" in spelled else None


def _holds(image: Mapping[str, Any], name: str, keys: Mapping[str, Any]) -> bool:
    """Tell whether an image has the value of a key attribute, however both spell it."""
    with suppress(RecordRefused):
        return name in image and canonical_json({name: image[name]}) == canonical_json({name: keys[name]})
    return False


def plain_name(name: str) -> str:
    """Return a name without what spellings of metadata differ in."""
    return name.replace("_", "").replace("-", "").lower()


def is_twice_encoded(record: Mapping[str, Any]) -> bool:
    """Tell whether a raw record holds binary encoded in base64 twice, by its kind.

    Kinesis Data Streams for DynamoDB names a `recordFormat`; a record of DynamoDB Streams has its version, the stream's
    ARN, or, in `dynamodb`, a SequenceNumber and a StreamViewType.
    """
    if _member(record, "recordFormat") is not None:
        return True
    change = _member(record, "dynamodb")
    marks = [_member(record, "eventVersion"), _member(record, "eventSourceARN")]
    if isinstance(change, Mapping):
        marks += [_member(change, "SequenceNumber"), _member(change, "StreamViewType")]
    return all(mark is None for mark in marks)


def has_new_images(record: Mapping[str, Any]) -> bool:
    """Tell whether a raw record is of a stream that has new images, by its kind; False where it does not tell."""
    view = _member(_member(record, "dynamodb"), "StreamViewType")
    return _member(record, "recordFormat") is not None if view is None else view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")


def canonical_change(record: Mapping[str, Any]) -> dict[str, Any]:
    """Turn one change record into the row of `changes` that it is.

    Takes a record of DynamoDB in Kinesis or DynamoDB Streams ("raw"), also with the lower-case names that catalogs give
    its columns, or a row written by this function before ("envelope"), which comes back unchanged.

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
    layout = layout_of_record(record)
    if layout == "envelope" or (layout != "raw" and "event_id" in record and "keys" in record):
        return _checked_envelope(record)
    change = _member(record, "dynamodb")
    if not isinstance(change, Mapping):
        raise RecordRefused("no 'dynamodb' object: not a change record")
    event, identity, twice = _member(record, "eventName"), _member(record, "userIdentity"), is_twice_encoded(record)
    keys = _member(change, "Keys")
    new, old = (_image(_member(change, name), twice=twice) for name in ("NewImage", "OldImage"))
    if not isinstance(keys, Mapping):
        raise RecordRefused("no 'Keys' object")
    return {
        "event_id": _text(record, "eventID"),
        "event_name": _event(event, new, old, must_have_new=has_new_images(record)),
        "table_name": table_name(record),
        "ts": canonical_time(
            _member(change, "ApproximateCreationDateTime"), _member(change, "ApproximateCreationDateTimePrecision")
        ),
        "keys": canonical_keys(keys, twice=twice),
        "new_image": new,
        "old_image": old,
        "size_bytes": _size(_member(change, "SizeBytes")),
        "by_ttl": event == "REMOVE"
        and isinstance(identity, Mapping)
        and {"Service", TTL_PRINCIPAL} <= {str(value) for value in identity.values()},
        **origin(_member(record, "awsRegion"), _member(record, "eventSourceARN")),
    }


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


def _event(event: object, new: str | None, old: str | None, *, must_have_new: bool = False) -> str:
    if event not in EVENTS:
        raise RecordRefused(f"eventName is {_kind(event)}, not one of INSERT, MODIFY, REMOVE")
    if new is not None and event == "REMOVE":
        raise RecordRefused("REMOVE with a new image")
    if new is None and event != "REMOVE" and must_have_new:
        raise RecordRefused(f"{event} without a new image")
    if old is not None and event == "INSERT":
        raise RecordRefused("INSERT with an old image")
    return str(event)


def _member(record: Mapping[str, Any], name: str) -> Any:
    """Return a member by its name as AWS spells it, else by that in lower case."""
    value = record.get(name)
    return record.get(name.lower()) if value is None else value


def _parsed(value: object) -> Mapping[str, Any] | None:
    """Return an object of attributes, or one given as JSON text; None where it is neither."""
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    return value if isinstance(value, Mapping) else None


def _image(image: object, *, twice: bool = False) -> str | None:
    """Write an image as canonical text; None where there is none, or it has no attributes."""
    if image is None:
        return None
    text = canonical_json(image, twice=twice)  # type: ignore[arg-type]
    return None if text == "{}" else text


def _kind(value: object) -> str:
    """Say of what type a value is that must not be shown."""
    return "NaN" if value != value else "missing" if value is None else f"a {type(value).__name__}"


def _text(record: Mapping[str, Any], name: str) -> str:
    value = _member(record, name)
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


def origin(region: object, arn: object, account: object = None) -> dict[str, str | None]:
    """Tell a table's Region and account; its ARN, and its stream's, which DynamoDB Streams give, has both."""
    told = _STREAM.match(arn) if isinstance(arn, str) else None
    if not (isinstance(region, str) and _REGION.fullmatch(region)):
        region = (told and told[1]) or None
    if not (isinstance(account, str) and _ACCOUNT.fullmatch(account)):
        account = (told and told[2]) or None
    return {"aws_region": region, "account_id": account}


def table_name(record: Mapping[str, Any]) -> str:
    """Name a raw record's table; one of DynamoDB Streams tells it only in its ARN, like …:table/NAME/stream/LABEL."""
    arn = re.search(r":table/([^/]+)", str(_member(record, "eventSourceARN")))
    return arn[1] if arn and not _member(record, "tableName") else _text(record, "tableName")


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
        moment = datetime.fromisoformat(text.removesuffix(" UTC").replace("Z", "+00:00"))
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def canonical_keys(keys: Mapping[str, Any], *, twice: bool = False) -> str:
    """Write the key attributes as canonical DynamoDB JSON text, having checked that they can be keys."""
    keys = {name: value for name, value in keys.items() if value is not None} if isinstance(keys, Mapping) else {}
    if not 1 <= len(keys) <= 2:
        raise RecordRefused("the keys are not one or two attributes")
    for name, value in keys.items():
        if not isinstance(value, Mapping) or {kind for kind in value if value[kind] is not None} - {"S", "N", "B"}:
            raise RecordRefused(f"key {name!r} is not of type S, N or B")
    return canonical_json(keys, twice=twice)


def _checked_envelope(row: Mapping[str, Any]) -> dict[str, Any]:
    change: dict[str, Any] = {column: row.get(column) for column in COLUMNS}
    for name in ("keys", "new_image", "old_image"):
        parsed = change[name]
        if isinstance(parsed, str):
            try:
                parsed = json.loads(parsed)
            except (ValueError, RecursionError) as error:
                raise RecordRefused(f"{name} is not JSON: {error}") from error
        elif parsed is None and name != "keys":
            continue
        elif not isinstance(parsed, Mapping):
            raise RecordRefused(f"{name} is not JSON text")
        change[name] = canonical_keys(parsed) if name == "keys" else _image(parsed)
    _event(change["event_name"], change["new_image"], change["old_image"])
    ts = str(change["ts"]) if isinstance(change["ts"], datetime) else change["ts"]
    try:  # digits alone are an instant, which ISO 8601 without its signs would make a day of another century
        moment = canonical_time(ts)
    except RecordRefused:
        raise RecordRefused(f"ts is {_kind(change['ts'])}, not a time") from None
    return change | {
        "event_id": _text(change, "event_id"),
        "table_name": _text(change, "table_name"),
        "ts": moment,
        "size_bytes": _size(change["size_bytes"]),
        "by_ttl": change["event_name"] == "REMOVE" and str(change["by_ttl"]).lower() == "true",
        **origin(change["aws_region"], None, change["account_id"]),
    }


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
        if value is None:
            continue
        try:
            checked[name] = _value(value, binary)
        except RecordRefused as error:  # the path is put together only where it is needed
            raise RecordRefused(f"attribute {name!r}: {error}") from error
    return checked


def _value(value: object, binary: Callable[[str], str]) -> dict[str, Any]:
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
