"""What change records are wrapped in, and how to take it off: JSON over many lines, arrays, texts, envelopes.

The records themselves are for `workbench.model.records`. What is recognised as something else is named for what it is,
with what to do about it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from workbench.errors import RecordRefused
from workbench.model.records import EVENTS, parse_objects, plain_name

_DEPTH = 8  # wrappers within wrappers
_FEW = 3  # lines that are taken to be cut off, each by itself, rather than one value over many lines
_AGGREGATED = b"\xf3\x89\x9a\xc2"
_RELATIONAL = ("dynamodb.", "Dynamodb.")
_ARRAY = re.compile(r'\s*(?:\{\s*"[A-Za-z]+"\s*:\s*)?\[')
_ELEMENT = re.compile(r"[\[,\n]\s*\{")
FAILURE = "Firehose failure objects"
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


class Text(RecordRefused):
    """A line that does not begin as JSON does."""


class Foreign(RecordRefused):
    """Something else, recognised; the message says what it is, and what to do."""


def values_of(lines: Iterable[bytes | RecordRefused]) -> Iterator[tuple[int, Any]]:
    """Yield every JSON value with the number of the line it begins on, also one that is written over many lines.

    What is none is a `RecordRefused`. A raw line end cannot stand within a text, so a value over many lines is one
    whose lines open and close brackets in turn, and each of which can follow the one before. Where that does not come
    out, what is whole is taken all the same.

    >>> list(values_of([b'{"a": 1}', b"{", b'"a": 2', b"}"]))
    [(1, {'a': 1}), (2, {'a': 2})]
    """
    numbered, back = enumerate(lines, start=1), deque[tuple[int, bytes | RecordRefused]]()
    while following := back.popleft() if back else next(numbered, None):
        number, line = following
        if isinstance(line, RecordRefused):
            yield number, line
            continue
        values = list(_parsed(line, number))
        depth = _open_brackets(line) if values and isinstance(values[-1], RecordRefused) else 0
        if depth <= 0:
            yield from ((number, value) for value in values)
            continue
        held, last = [line], line
        for following in numbered:
            later = following[1]
            if isinstance(later, RecordRefused) or (later.strip() and not _continues(last, later)):
                back.append(following)
                break
            held.append(later)
            last = later if later.strip() else last
            if (depth := depth + _open_brackets(later)) <= 0:
                break
        if depth > 0 and len(held) <= _FEW:  # a line that is cut off, and what follows it
            yield from ((number, value) for value in values)
            for at, later in enumerate(held[1:], start=1):
                yield from ((number + at, value) for value in _parsed(later, number + at))
            continue
        yield from ((number, value) for value in _parsed(b"\n".join(held), number))


def _parsed(line: bytes, number: int) -> Iterator[Any]:
    """Yield the values of a line, or of lines together; of an array that is damaged, what is whole of it."""
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        yield RecordRefused(f"not UTF-8: {error.reason} at byte {error.start}")
        return
    text = text.rstrip(" \t\r\n,")  # lines of an array
    values = list(parse_objects(text))
    refused = values[-1] if values and isinstance(values[-1], RecordRefused) else None
    if values and text.lstrip("\ufeff\x1e \t\r\n")[:1] not in ("{", "[", '"'):
        yield Text(str(refused or f"a JSON {type(values[0]).__name__}, not an object"))
    elif refused and len(values) == 1 and (begun := _ARRAY.match(text)):
        yield from _whole_elements(text, begun.end() - 1, str(refused))
    else:
        yield from values


def _whole_elements(text: str, at: int, reason: str) -> Iterator[Any]:
    """Yield the records of a damaged array that are whole, then why it is damaged."""
    decoder = json.JSONDecoder(parse_float=Decimal)
    while begun := _ELEMENT.search(text, at):
        try:
            value, at = decoder.raw_decode(text, begun.end() - 1)
        except (ValueError, RecursionError):
            at = begun.end()
            continue
        if is_change(value) or _unwrap(value):
            yield value
    yield RecordRefused(f"an array that is cut off or damaged: {reason}")


def _open_brackets(line: bytes) -> int:
    """Count the brackets that a line opens and does not close; 0 where a text in it does not end."""
    bare = _STRING.sub(b"", line)
    if b'"' in bare:
        return 0
    return sum(bare.count(each) for each in (b"{", b"[")) - sum(bare.count(each) for each in (b"}", b"]"))


def _continues(before: bytes, line: bytes) -> bool:
    """Return whether a line can follow another within one JSON value."""
    start, end = line.lstrip()[:1], before.rstrip()[-1:]
    if end == b"{":
        return start in (b'"', b"}")
    if end in (b"[", b",", b":"):
        return start not in (b",", b":")
    return start in (b",", b"}", b"]") or (start == b":" and end == b'"')


def unwrapped(value: Any, depth: int = 0) -> Iterator[tuple[Any, str]]:
    """Yield what a value wraps, each with the name of its wrapper; a value that wraps nothing is itself ('').

    >>> list(unwrapped({"Records": [{"dynamodb": {}}]}))
    [({'dynamodb': {}}, '{"Records": […]}')]
    """
    if isinstance(value, dict) and isinstance(value.get("dynamodb"), dict):  # as nearly all are
        yield value, ""
        return
    name, inner = _unwrap(value) or ("", [value])
    if not name or depth > _DEPTH:
        yield _recognised(value), ""
        return
    for each in inner:
        for inside, within in unwrapped(each, depth + 1):
            if isinstance(inside, RecordRefused) and not isinstance(inside, Foreign):
                inside = RecordRefused(f"{name}: {inside}")
            yield inside, within if within == FAILURE else name


def is_change(value: Any) -> bool:
    """Return whether a value is meant as a change record, of any layout.

    >>> is_change({"eventName": "INSERT"}), is_change({"Item": {}})
    (True, False)
    """
    if not isinstance(value, Mapping):
        return False
    events = (value.get(name) for name in ("eventName", "event_name", "eventname", "EventName"))
    return (
        isinstance(value.get("dynamodb"), Mapping)
        or ("event_id" in value and "keys" in value)
        or any(event in EVENTS for event in events)
    )


def _unwrap(value: Any) -> tuple[str, Iterable[Any]] | None:
    """Return the name of a wrapper and what is in it; None where a value is none."""
    if isinstance(value, list):
        return "JSON arrays", value
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        return "JSON within texts", parse_objects(value)
    if not isinstance(value, dict) or ("dynamodb" in value and is_change(value)):
        return None
    if any(name.startswith(_RELATIONAL) for name in value):
        return "relationalized columns", _fold_columns(value)
    if is_change(value):
        return None
    for name in ("Records", "records", "Messages"):
        if isinstance(value.get(name), list):
            return '{"Records": […]}', value[name]
    if isinstance(data := value.get("rawData"), str):
        return FAILURE, _decode_base64(data)
    if isinstance(kinesis := value.get("kinesis"), dict) and isinstance(data := kinesis.get("data"), str):
        return "Kinesis envelopes", _decode_base64(data)
    data = value.get("data", value.get("Data"))
    if isinstance(data, str) and value.keys() & {
        "partitionKey",
        "PartitionKey",
        "sequenceNumber",
        "SequenceNumber",
        "recordId",
        "kinesisSchemaVersion",
    }:
        return "Kinesis envelopes", _decode_base64(data)
    body = value.get("body", value.get("Body"))
    if isinstance(body, str) and value.keys() & {"messageId", "MessageId", "receiptHandle", "ReceiptHandle"}:
        return "SQS messages", parse_objects(body)
    if isinstance(notice := value.get("Sns"), dict) and isinstance(notice.get("Message"), str):
        return "SNS messages", parse_objects(notice["Message"])
    if isinstance(value.get("Message"), str) and "TopicArn" in value:
        return "SNS messages", parse_objects(value["Message"])
    if "detail-type" in value and isinstance(value.get("detail"), dict | list | str):
        return "EventBridge events", [value["detail"]]
    if "specversion" in value and isinstance(value.get("data"), dict | list | str):
        return "CloudEvents", [value["data"]]
    if "specversion" in value and isinstance(data := value.get("data_base64"), str):
        return "CloudEvents", _decode_base64(data)
    return None


def _decode_base64(data: str) -> Iterator[Any]:
    """Yield the values of a text in base64, which may be compressed."""
    try:
        content = base64.b64decode(data, validate=True)
        if content.startswith(b"\x1f\x8b"):
            content = zlib.decompress(content, wbits=47)
        if content.startswith(_AGGREGATED):
            yield RecordRefused("aggregated by the Kinesis Producer Library, which is not read: de-aggregate it")
            return
        yield from parse_objects(content.decode())
    except (binascii.Error, UnicodeDecodeError, zlib.error, ValueError):
        yield RecordRefused("its data are no JSON in base64")


def _fold_columns(row: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the record whose nested members a row holds in columns such as ``dynamodb.NewImage.pk.S``."""
    record: dict[str, Any] = {}
    for name, value in row.items():
        if value is None:
            continue
        top, *path = name.split(".")
        if not path:
            record.setdefault(name, value)
            continue
        if path[0].lower() in ("keys", "newimage", "oldimage"):
            as_type = str.upper if path[0].islower() else str  # a crawler lower-cases names, and types with them
            path = [path[0], *_attribute_path(path[1:], as_type)]
        members = record
        for part in (top, *path[:-1]):
            members = members.setdefault(part, {})
            if not isinstance(members, dict):
                yield RecordRefused(f"column {name!r} lies under one that has a value")
                return
        members[path[-1]] = str(value) if path[-1] == "N" else value
    yield record


def _attribute_path(parts: list[str], as_type: Callable[[str], str]) -> list[str]:
    """Split the rest of such a column's name: names, which may hold dots, and types in turn."""
    for at in range(1, len(parts) - 1):
        if as_type(parts[at]) == "M":
            return [".".join(parts[:at]), "M", *_attribute_path(parts[at + 1 :], as_type)]
    return [".".join(parts[:-1]), as_type(parts[-1])] if len(parts) > 1 else parts


def _recognised(value: Any) -> Any:
    """Return a value, or what it is where it is recognised as no change record."""
    if not isinstance(value, dict) or is_change(value):
        return value
    names = value.keys()
    for needed, what in _FOREIGN:
        if needed <= names:
            return Foreign(what)
    if any(
        isinstance(each, list)
        and each
        and isinstance(each[0], dict)
        and each[0].keys() & {"PutRequest", "DeleteRequest"}
        for each in value.values()
    ):
        return Foreign("a request of batch-write-item, which tells states and no changes")
    if not _TELLING & {*map(plain_name, names)}:
        return Foreign("a row without an event (no 'dynamodb' object, no event name): it tells a state and no change")
    return value


_ITEMS = "items of a table, which tell a state and no changes: give them as the baseline (--baseline), or to reconcile "
_TELLING = {"eventname", "eventid", "newimage", "oldimage", "dynamodb"}
_FOREIGN: tuple[tuple[set[str], str], ...] = (
    ({"Items", "Count"}, "the output of a DynamoDB scan or query: " + _ITEMS + "--against"),
    ({"Item"}, _ITEMS + "--against"),
    ({"Keys", "Metadata"}, "changes of an incremental DynamoDB export: give the export as the baseline (--baseline)"),
    ({"exportArn", "tableArn"}, "the manifest of a DynamoDB export: give its folder as the baseline (--baseline)"),
    ({"dataFileS3Key", "itemCount"}, "the manifest of a DynamoDB export: give its folder as the baseline (--baseline)"),
    ({"eventSource", "s3"}, "a notification of S3, which tells of objects and no changes"),
    ({"eventVersion", "requestParameters"}, "a log of CloudTrail, which tells who called and not what was written"),
    ({"messageType", "logEvents"}, "an export of CloudWatch Logs"),
)
