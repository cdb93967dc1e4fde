"""Change records as Kinesis Data Streams for DynamoDB writes them, and the sizes that DynamoDB counts."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from workbench.model.records import TTL_PRINCIPAL


def item_size(image: Mapping[str, Any]) -> tuple[int, int]:
    """Return an item's size in bytes, as DynamoDB counts it, and how many levels deep it is.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html

    >>> item_size({"pk": {"S": "p-1"}, "tags": {"SS": ["a", "b"]}})
    (11, 1)
    """
    size, depth = 0, 0
    for name, value in image.items():
        ((kind, inner),) = value.items()
        inside, below = value_size(kind, inner)
        size += len(name.encode()) + inside
        depth = max(depth, below)
    return size, depth + 1


def value_size(kind: str, inner: Any) -> tuple[int, int]:
    """Return the size in bytes of a value of a type, and how many levels of maps and lists lie in it.

    >>> value_size("N", "12.50"), value_size("M", {"a": {"S": "b"}})
    ((3, 0), (6, 1))
    """
    if kind == "S":
        return len(inner.encode()), 0
    if kind == "N":
        return (len(inner.partition("E")[0].replace(".", "").strip("-0")) + 1) // 2 + 1, 0
    if kind == "B":
        return len(inner) * 3 // 4 - inner[-2:].count("="), 0
    if kind in ("BOOL", "NULL"):
        return 1, 0
    if kind == "M":
        size, depth = item_size(inner)
        return size + 3 + len(inner), depth
    if kind == "L":
        parts = [value_size(*next(iter(value.items()))) for value in inner]
        return sum(size for size, _ in parts) + 3 + len(parts), max((depth for _, depth in parts), default=0) + 1
    return sum(value_size(kind[0], member)[0] for member in inner), 0


def change_record(
    event_id: str, table: str, micros: int, key: bytes, new: bytes | None, old: bytes | None, size: int, by_ttl: bool
) -> bytes:
    """Return the record of a change as Kinesis Data Streams for DynamoDB writes it, one JSON object.

    Parameters
    ----------
    micros
        When the change was made, in microseconds since 1970.
    key, new, old
        DynamoDB JSON with sorted names; None for an image there is not.
    size
        Bytes of the key and both images.

    >>> record = change_record("e-1", "persons", 1_760_000_000_123_456, b'{"pk":{"S":"p-1"}}', None, b"{}", 5, True)
    >>> orjson.loads(record)["eventName"], orjson.loads(record)["userIdentity"]["type"]
    ('REMOVE', 'Service')
    """
    event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    identity = f'{{"type":"Service","principalId":"{TTL_PRINCIPAL}"}}' if by_ttl else "null"
    images = b"".join(
        b',"%s":%s' % (name, _twice(image)) for name, image in ((b"NewImage", new), (b"OldImage", old)) if image
    )
    return (
        f'{{"awsRegion":"local","eventID":"{event_id}","eventName":"{event}","userIdentity":{identity},'
        f'"recordFormat":"application/json","tableName":"{table}","dynamodb":{{"ApproximateCreationDateTime":{micros},'
        f'"ApproximateCreationDateTimePrecision":"MICROSECOND","Keys":'
    ).encode() + b'%s%s,"SizeBytes":%d},"eventSource":"aws:dynamodb"}' % (_twice(key), images, size)


def _twice(image: bytes) -> bytes:
    """Encode binary a second time, as Kinesis Data Streams for DynamoDB does."""
    if b'B":' not in image and b'BS":' not in image:
        return image
    return orjson.dumps({name: _twice_value(value) for name, value in orjson.loads(image).items()})


def _twice_value(value: dict[str, Any]) -> dict[str, Any]:
    ((kind, inner),) = value.items()
    if kind == "B":
        return {"B": base64.b64encode(inner.encode()).decode()}
    if kind == "BS":
        return {"BS": [base64.b64encode(member.encode()).decode() for member in inner]}
    if kind == "M":
        return {"M": {name: _twice_value(child) for name, child in inner.items()}}
    if kind == "L":
        return {"L": [_twice_value(child) for child in inner]}
    return value
