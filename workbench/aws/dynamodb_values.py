"""An item's values in three forms: DynamoDB JSON, what boto3's client takes and gives, and Python's as boto3 has them.

DynamoDB JSON writes binary values as base64, boto3's client has them as bytes; else these two are the same. A log's
values become Python's by `workbench.model.attributes`, which needs no boto3 and loses nothing.

>>> native_image({"photo": {"B": "AAE="}, "tags": {"L": [{"S": "a"}]}})
{'photo': {'B': b'\\x00\\x01'}, 'tags': {'L': [{'S': 'a'}]}}
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from workbench.errors import StoreError

if TYPE_CHECKING:
    from boto3.dynamodb.types import _AttributeValueTypeDef

Value = Mapping[str, Any]
"""One value by its type, such as ``{"S": "Ann"}``."""
Image = dict[str, dict[str, Any]]
"""The values of an item by the names of its attributes."""


def plain_image(image: Mapping[str, Value]) -> Image:
    """Write an image of boto3's as DynamoDB JSON.

    >>> plain_image({"photo": {"B": b"\\x00\\x01"}})
    {'photo': {'B': 'AAE='}}
    """
    return {name: _mapped(value, _base64) for name, value in image.items()}


def native_image(image: Mapping[str, Value]) -> Image:
    """Read DynamoDB JSON as boto3's client takes it.

    >>> native_image({"photo": {"B": "AAE="}})
    {'photo': {'B': b'\\x00\\x01'}}
    """
    return {name: _mapped(value, base64.b64decode) for name, value in image.items()}


def serialized(item: Mapping[str, object]) -> Image:
    """Write an item of Python's values as boto3's client takes it.

    Raises
    ------
    StoreError
        Where DynamoDB has no such value.

    >>> serialized({"name": "Ann", "age": 41})
    {'name': {'S': 'Ann'}, 'age': {'N': '41'}}
    """
    try:
        return {name: {**TypeSerializer().serialize(value)} for name, value in item.items()}
    except (TypeError, ValueError, ArithmeticError) as error:
        raise StoreError(f"DynamoDB has no such value: {error}") from error


def deserialized(image: Mapping[str, Value]) -> dict[str, Any]:
    """Read DynamoDB JSON as Python's values, as boto3's resources have them.

    >>> deserialized({"name": {"S": "Ann"}, "age": {"N": "41"}})
    {'name': 'Ann', 'age': Decimal('41')}
    """
    values = cast("dict[str, _AttributeValueTypeDef]", native_image(image))
    return {name: TypeDeserializer().deserialize(value) for name, value in values.items()}


def _base64(value: bytes) -> str:
    return base64.b64encode(bytes(value)).decode()


def _mapped(value: Value, binary: Callable[[Any], object]) -> dict[str, Any]:
    ((kind, inner),) = value.items()
    if kind == "B":
        return {"B": binary(inner)}
    if kind == "BS":
        return {"BS": [binary(member) for member in inner]}
    if kind == "M":
        return {"M": {name: _mapped(child, binary) for name, child in inner.items()}}
    if kind == "L":
        return {"L": [_mapped(child, binary) for child in inner]}
    return dict(value)
