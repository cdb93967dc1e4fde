"""Makes of a change the document of its item, as it is after the change (standard library and `records.py` only)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workbench.model.records import canonical_change, canonical_json, canonical_keys, canonical_time

_LONGEST_INTEGER = 2**63 - 1  # larger ones no field of a document can be made for; as a double it can


@dataclass(frozen=True)
class Document:
    """What is indexed of an item: `id` is made of its keys, `version` is the time of its change in microseconds.

    An item that is gone has a document too, which says so: OpenSearch forgets the version of a deleted document after
    a minute (`index.gc_deletes`), and a change that comes late, or twice, would bring the item back.
    """

    id: str
    version: int
    body: dict[str, Any]


def from_kinesis(record: Mapping[str, Any]) -> Document:
    """Make the document of a change record of a Kinesis stream; raises RecordRefused where it is none."""
    return _document(canonical_change(record))


def from_streams(record: Mapping[str, Any]) -> Document:
    """Make the document of a record of DynamoDB Streams, whose binary values are encoded once, not twice."""
    change = record["dynamodb"]
    new, moment = change.get("NewImage"), change.get("ApproximateCreationDateTime")
    raw = canonical_change(
        {
            "eventID": record.get("eventID"),
            "eventName": record.get("eventName"),
            "tableName": record.get("tableName"),
            "eventSourceARN": record.get("eventSourceARN"),
            "userIdentity": record.get("userIdentity"),
            "dynamodb": {
                "Keys": {"none": {"S": ""}},
                "NewImage": None if new is None else {},
                "ApproximateCreationDateTime": moment,
            },
        }
    )
    return _document(
        raw
        | {
            "keys": canonical_keys(change["Keys"]),
            "ts": canonical_time(moment),
            "new_image": None if new is None else canonical_json(new),
        }
    )


def _document(change: Mapping[str, Any]) -> Document:
    moment = datetime.fromisoformat(change["ts"])
    image = change["new_image"]
    return Document(
        id=hashlib.sha256(change["keys"].encode()).hexdigest(),  # keys may be long, and secret; ids are in addresses
        version=(moment - datetime(1970, 1, 1)) // timedelta(microseconds=1),
        body={
            "keys": change["keys"],
            "changed_at": f"{moment.isoformat(timespec='microseconds')}Z",
            "event_id": change["event_id"],
            "event_name": change["event_name"],
            "table_name": change["table_name"],
            "by_ttl": change["by_ttl"],
            "deleted": image is None,
            "image": image,
            "item": None if image is None else _plain({"M": json.loads(image)}),
        },
    )


def _plain(value: Mapping[str, Any]) -> Any:
    """Turn an attribute's value into what can be searched; what it is exactly, the image says."""
    ((kind, inner),) = value.items()
    if kind == "N":
        return _number(inner)
    if kind == "NS":
        return [_number(each) for each in inner]
    if kind == "NULL":
        return None
    if kind == "L":
        return [_plain(each) for each in inner]
    if kind == "M":
        return {name: _plain(each) for name, each in inner.items()}
    return inner


def _number(text: str) -> int | float:
    try:
        whole = int(text)
    except ValueError:
        return float(text)
    return whole if abs(whole) <= _LONGEST_INTEGER else float(whole)
