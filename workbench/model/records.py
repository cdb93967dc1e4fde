"""Kinesis-for-DynamoDB record → canonical change (standard library only: a Lambda runs this same file).

A canonical change is one row of the relation `changes`: a dict with the keys in `COLUMNS`. Its `keys`, `new_image` and
`old_image` are canonical DynamoDB JSON (`workbench.model.canonical`), so that equal items have equal text.

What a record is, is decided once, by all of it (`layout_of_record`), and its columns are then read in that layout
alone: a name more at the top, such as `ts` beside a whole `dynamodb`, changes nothing.

Binary values are encoded in base64 once in a canonical image, as in every DynamoDB JSON but one: Kinesis Data Streams
for DynamoDB encodes them twice. So the kind of a record tells (`is_twice_encoded`): what is no record of DynamoDB
Streams, by the fields that only these have, is decoded once more where its values allow it; an envelope never is.

An image without attributes is none: ``"OldImage":{}`` of an INSERT.

A stream that has no new images (KEYS_ONLY, OLD_IMAGE) gives changes too: an INSERT or MODIFY whose `new_image` is None
is one whose image the stream does not have. A REMOVE never has one. What must have an image by its kind (a Kinesis
record, or one of a stream whose StreamViewType says so) and has none is refused.

Facts: the record's form is in "Using shards and metrics with DynamoDB Streams in Kinesis Data Streams"
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_using-shards-and-metrics.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from workbench.errors import RecordRefused
from workbench.model.canonical import PYTHON_TYPES as PYTHON_TYPES
from workbench.model.canonical import canonical_json as canonical_json
from workbench.model.canonical import canonical_keys as canonical_keys
from workbench.model.canonical import canonical_number as canonical_number
from workbench.model.canonical import canonical_text as canonical_text
from workbench.model.canonical import canonical_time as canonical_time
from workbench.model.canonical import kind_of, valid_unicode
from workbench.model.canonical import refuse_images as refuse_images

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
TTL_PRINCIPAL = "dynamodb.amazonaws.com"

_REGION = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{1,20}", re.ASCII)
_STREAM = re.compile(r"arn:[a-z-]*:dynamodb:([A-Za-z0-9-]*):([0-9]*):table/", re.ASCII)


def layout_of_record(record: Mapping[str, Any]) -> Layout | None:
    """Return what kind of record this is, by all of it; None where it is no change record.

    - ``raw``: it has a `dynamodb` object and an `eventName`, whatever else stands beside them;
    - ``envelope``: else, it has `keys` and the name of an image, `new_image` or `old_image`. Where its key attributes
      are columns too, one of its images must hold the key: else these names are attributes of a flat row;
    - ``flat``: else, it has an event's name in any spelling, and its other columns are attributes.

    >>> layout_of_record({"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"S": "p-1"}}}})
    'raw'
    >>> layout_of_record({"eventName": "INSERT", "pk": "p-1", "age": 41})
    'flat'
    """
    if isinstance(_member(record, "dynamodb"), Mapping) and _member(record, "eventName") is not None:
        return "raw"
    images = [record[name] for name in ("new_image", "old_image") if name in record]
    if images and "keys" in record:
        keys = _attributes_of(record["keys"])
        if not keys or not all(name in record for name in keys):
            return "envelope"
        if images == [None, None] or any(
            _has_key_value(_attributes_of(image) or {}, min(keys), keys) for image in images
        ):
            return "envelope"
    spelled = {METADATA.get(plain_name(name)) for name in record}
    return "flat" if "event_name" in spelled else None


def _has_key_value(image: Mapping[str, Any], name: str, keys: Mapping[str, Any]) -> bool:
    """Return whether an image has the value of a key attribute, however both spell it."""
    with suppress(RecordRefused):
        return name in image and canonical_json({name: image[name]}) == canonical_json({name: keys[name]})
    return False


def plain_name(name: str) -> str:
    """Return a name without what spellings of metadata differ in.

    >>> plain_name("Event_Name"), plain_name("eventName")
    ('eventname', 'eventname')
    """
    return name.replace("_", "").replace("-", "").lower()


def is_twice_encoded(record: Mapping[str, Any]) -> bool:
    """Return whether a raw record holds binary encoded in base64 twice, by its kind.

    Kinesis Data Streams for DynamoDB names a `recordFormat`; a record of DynamoDB Streams has its version, the stream's
    ARN, or, in `dynamodb`, a SequenceNumber and a StreamViewType.

    >>> is_twice_encoded({"recordFormat": "application/json"}), is_twice_encoded({"eventVersion": "1.1"})
    (True, False)
    """
    if _member(record, "recordFormat") is not None:
        return True
    change = _member(record, "dynamodb")
    marks = [_member(record, "eventVersion"), _member(record, "eventSourceARN")]
    if isinstance(change, Mapping):
        marks += [_member(change, "SequenceNumber"), _member(change, "StreamViewType")]
    return all(mark is None for mark in marks)


def has_new_images(record: Mapping[str, Any]) -> bool:
    """Return whether a raw record is of a stream that has new images, by its kind; False where it does not say.

    >>> [has_new_images({"dynamodb": {"StreamViewType": view}}) for view in ("NEW_IMAGE", "KEYS_ONLY")]
    [True, False]
    """
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

    >>> change = canonical_change({
    ...     "eventID": "1", "eventName": "INSERT", "tableName": "persons", "dynamodb": {
    ...         "ApproximateCreationDateTime": 1760000000123, "Keys": {"pk": {"S": "p-1"}},
    ...         "NewImage": {"pk": {"S": "p-1"}, "age": {"N": "41.0"}}}})
    >>> change["ts"], change["new_image"]
    ('2025-10-09 08:53:20.123000', '{"age":{"N":"41"},"pk":{"S":"p-1"}}')
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
    new, old = (_canonical_image(_member(change, name), twice=twice) for name in ("NewImage", "OldImage"))
    if not isinstance(keys, Mapping):
        raise RecordRefused("no 'Keys' object")
    return {
        "event_id": _required_text(record, "eventID"),
        "event_name": _checked_event(event, new, old, must_have_new=has_new_images(record)),
        "table_name": table_name(record),
        "ts": canonical_time(
            _member(change, "ApproximateCreationDateTime"), _member(change, "ApproximateCreationDateTimePrecision")
        ),
        "keys": canonical_keys(keys, twice=twice),
        "new_image": new,
        "old_image": old,
        "size_bytes": _size_bytes(_member(change, "SizeBytes")),
        "by_ttl": event == "REMOVE"
        and isinstance(identity, Mapping)
        and {"Service", TTL_PRINCIPAL} <= {str(value) for value in identity.values()},
        **origin(_member(record, "awsRegion"), _member(record, "eventSourceARN")),
    }


def parse_objects(text: str) -> Iterator[Any]:
    """Yield every JSON value of a line, also those that follow each other without a newline.

    A part that cannot be parsed is yielded as a `RecordRefused`; what stood before it is kept.

    >>> list(parse_objects('{"a":1}{"a":2} {'))
    [{'a': 1}, {'a': 2}, RecordRefused('not JSON at character 17: Expecting property name enclosed in double quotes')]
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


def _checked_event(event: object, new: str | None, old: str | None, *, must_have_new: bool = False) -> str:
    if event not in EVENTS:
        raise RecordRefused(f"eventName is {kind_of(event)}, not one of INSERT, MODIFY, REMOVE")
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


def _attributes_of(value: object) -> Mapping[str, Any] | None:
    """Return an object of attributes, or one given as JSON text; None where it is neither."""
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    return value if isinstance(value, Mapping) else None


def _canonical_image(image: object, *, twice: bool = False) -> str | None:
    """Write an image as canonical text; None where there is none, or it has no attributes."""
    if image is None:
        return None
    text = canonical_json(image, twice=twice)  # type: ignore[arg-type]
    return None if text == "{}" else text


def _required_text(record: Mapping[str, Any], name: str) -> str:
    value = _member(record, name)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise RecordRefused(f"no {name!r}")
    return valid_unicode(str(value))


def _size_bytes(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def origin(region: object, arn: object, account: object = None) -> dict[str, str | None]:
    """Return the Region and account of a table, None where neither is told; its ARN, or its stream's, has both.

    >>> origin(None, "arn:aws:dynamodb:eu-central-1:123456789012:table/persons/stream/2026-11-18T12:00:00.000")
    {'aws_region': 'eu-central-1', 'account_id': '123456789012'}
    """
    match = _STREAM.match(arn) if isinstance(arn, str) else None
    if not (isinstance(region, str) and _REGION.fullmatch(region)):
        region = (match and match[1]) or None
    if not (isinstance(account, str) and _ACCOUNT.fullmatch(account)):
        account = (match and match[2]) or None
    return {"aws_region": region, "account_id": account}


def table_name(record: Mapping[str, Any]) -> str:
    """Return the name of a raw record's table; DynamoDB Streams tell it in an ARN only, …:table/NAME/stream/LABEL.

    Raises
    ------
    RecordRefused
        Where the record does not tell it.

    >>> table_name({"tableName": "persons"})
    'persons'
    """
    arn = re.search(r":table/([^/]+)", str(_member(record, "eventSourceARN")))
    return arn[1] if arn and not _member(record, "tableName") else _required_text(record, "tableName")


def log_name(table: str) -> str:
    """Name the log of a table: in lower case, with ``_`` for what Glue and Athena do not have in names.

    Parameters
    ----------
    table
        DynamoDB's name of the table.

    Examples
    --------
    >>> log_name("Orders-EU.v2")
    'orders_eu_v2'
    """
    return re.sub(r"[^a-z0-9_]", "_", table.lower())


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
        change[name] = canonical_keys(parsed) if name == "keys" else _canonical_image(parsed)
    _checked_event(change["event_name"], change["new_image"], change["old_image"])
    ts = str(change["ts"]) if isinstance(change["ts"], datetime) else change["ts"]
    try:  # digits alone are an instant, which ISO 8601 without its signs would make a day of another century
        moment = canonical_time(ts)
    except RecordRefused:
        raise RecordRefused(f"ts is {kind_of(change['ts'])}, not a time") from None
    return change | {
        "event_id": _required_text(change, "event_id"),
        "table_name": _required_text(change, "table_name"),
        "ts": moment,
        "size_bytes": _size_bytes(change["size_bytes"]),
        "by_ttl": change["event_name"] == "REMOVE" and str(change["by_ttl"]).lower() == "true",
        **origin(change["aws_region"], None, change["account_id"]),
    }
