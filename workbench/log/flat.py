"""Flat rows: event metadata, and one plain column an attribute, as flattening transforms and crawlers leave them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from workbench.errors import ParameterError, RecordRefused
from workbench.model.attribute_paths import column_path
from workbench.model.canonical import canonical_json, canonical_time
from workbench.model.records import METADATA, canonical_change, plain_name


def flat_change(row: dict[str, Any], keys: Sequence[str], folder: str) -> dict[str, Any]:
    """Read a single-level row: event metadata, and one plain column an attribute (null: absent).

    Parameters
    ----------
    keys
        Names of the key attributes, for a row without a column `keys`.
    folder
        The table, where the row does not name it.

    Returns
    -------
    dict
        A canonical change, with the keys of `workbench.model.records.COLUMNS`.

    Raises
    ------
    RecordRefused
        Where it is none, or no key attribute is known.

    >>> row = {"event_name": "INSERT", "ts": "2026-11-18T12:00:00Z", "pk": "p-1", "age": 41}
    >>> flat_change(row, ["pk"], "persons")["new_image"]
    '{"age":{"N":"41"},"pk":{"S":"p-1"}}'
    """
    metadata = {
        METADATA[plain_name(name)]: value
        for name, value in row.items()
        if plain_name(name) in METADATA and value is not None
    }
    image: dict[str, Any] = {}
    for name, value in row.items():
        if plain_name(name) not in METADATA and value is not None:
            put_attribute(image, flat_path(name), attribute_value(value))
    for name, value in _typed_values(metadata.pop("attribute_values", "{}")).items():
        put_attribute(image, flat_path(name), value)
    if "keys" not in metadata:  # those of the row win over the setting's: a log may hold several tables
        missing = [name for name in keys if name not in image]
        if missing or not keys:
            why = f"no key attribute {missing[0]!r}" if keys else "no 'keys': name the key attributes, keys=(…)"
            raise RecordRefused(f"a flat record, {why}")
        metadata["keys"] = canonical_json({name: image[name] for name in keys})
    text, moment = canonical_json(image), metadata.get("ts")
    if not isinstance(moment, str | datetime) or str(moment).isdecimal():
        moment = canonical_time(moment, metadata.pop("precision", None))
    # Some flatteners leave out the event's id: then equal content is the same change.
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    metadata.setdefault("event_id", f"{digest}-{metadata['keys']}-{moment}")
    metadata.setdefault("table_name", folder)
    return canonical_change(
        metadata | {"ts": moment, "new_image": None if metadata.get("event_name") == "REMOVE" else text}
    )


def flat_path(name: str) -> tuple[str, ...]:
    """Return the path of the attribute that a column of a flat log holds.

    >>> flat_path("person.age"), flat_path("a..b")
    (('person', 'age'), ('a..b',))
    """
    try:
        return column_path(name)
    except ParameterError:  # dots or quotes that are no path: one attribute, called that
        return (name,)


def _typed_values(text: Any) -> dict[str, Any]:
    """Read the DynamoDB JSON of the columns whose plain value does not tell it, such as sets."""
    try:
        values = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordRefused(f"attribute_values is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise RecordRefused("attribute_values is no object")
    return values


def put_attribute(image: dict[str, Any], path: tuple[str, ...], value: dict[str, Any]) -> None:
    """Put a DynamoDB JSON value into an image, in the maps on the path to it.

    Raises
    ------
    RecordRefused
        Where something on the path is no map.

    >>> image = {}
    >>> put_attribute(image, ("person", "age"), {"N": "41"})
    >>> image
    {'person': {'M': {'age': {'N': '41'}}}}
    """
    *parents, last = path
    for parent in parents:
        inner = image.setdefault(parent, {"M": {}})
        if "M" not in inner:
            raise RecordRefused(f"column {'.'.join(path)!r} lies under one that is no map")
        image = inner["M"]
    image[last] = value


def attribute_value(value: Any) -> dict[str, Any]:
    """Return a plain value, as JSON or Parquet gives it, as DynamoDB JSON.

    >>> attribute_value({"age": 41, "tags": ["a"]})
    {'M': {'age': {'N': '41'}, 'tags': {'L': [{'S': 'a'}]}}}
    """
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float | Decimal):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, list):
        return {"L": [attribute_value(element) for element in value]}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bytes):
        return {"B": base64.b64encode(value).decode()}
    if not isinstance(value, dict):  # of Parquet, such as a day
        return {"S": str(value)}
    return {"M": {name: attribute_value(child) for name, child in value.items()}}
