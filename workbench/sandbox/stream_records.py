"""Change records as Kinesis Data Streams for DynamoDB writes them."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from workbench.model.records import TTL_PRINCIPAL


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
