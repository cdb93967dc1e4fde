"""Keys as people give them, ``{"userId": 3, "transactionId": "51"}``, typed as the table's key is."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral
from typing import Any, TypeAlias

from workbench.errors import ParameterError, RecordRefused, did_you_mean
from workbench.model.canonical import canonical_json, canonical_number

Key: TypeAlias = Mapping[str, Any] | str
"""Attributes and their values, or both as text: ``userId=3 transactionId=51``."""


@dataclass(frozen=True)
class KeyPart:
    """An attribute of a key and its value, as in DynamoDB JSON, or with `prefix` what its value begins with."""

    name: str
    kind: str
    value: str
    prefix: bool = False


def read_keys(
    given: Key | Sequence[Key], types: Mapping[str, str] | Sequence[Mapping[str, str]], *, prefix: bool = False
) -> list[str | list[KeyPart]]:
    """Return each key typed as the table's key attributes are: its canonical text, or its parts where it is not whole.

    A text is taken for a number where the attribute is one, and ``0x0aff`` for binary. Of a composite key one
    attribute alone will do: the key of all items that have it. In a key given as text, ``pk='a b' sk=1``, an
    attribute that comes again begins the key of another item.

    Parameters
    ----------
    types
        The table's key attributes and their types, S, N or B; of a table that was made again with another key, each of
        its keys, the newest first: a key may be of any of them.
    prefix
        The last attribute given is what the items' begin with.

    Raises
    ------
    ParameterError
        Where an attribute is none of the key, or a value not of its type.

    >>> read_keys({"userId": "3"}, {"transactionId": "N", "userId": "N"})
    [[KeyPart(name='userId', kind='N', value='3', prefix=False)]]
    >>> read_keys({"pk": "p-1"}, {"pk": "S"})
    ['{"pk":{"S":"p-1"}}']
    """
    schemas = [types] if isinstance(types, Mapping) else [*types]
    several = isinstance(given, Iterable) and not isinstance(given, Mapping)
    keys: list[Any] = _split(given) if isinstance(given, str) else [*given] if several else [given]
    if not keys or not all(isinstance(key, Mapping) and key for key in keys):
        raise ParameterError(
            f"the key {given!r} is none: give its attributes, like {{{', '.join(map(repr, schemas[0]))}: …}}"
        )
    typed: list[str | list[KeyPart]] = []
    for key in keys:
        refused: list[ParameterError] = []
        for schema in schemas:
            try:
                typed.append(_typed_key(key, schema, schemas, prefix))
            except ParameterError as error:
                refused.append(error)
        if len(refused) == len(schemas):
            raise refused[0]
    return typed


def _typed_key(
    key: Mapping[str, Any], types: Mapping[str, str], schemas: Sequence[Mapping[str, str]], prefix: bool
) -> str | list[KeyPart]:
    if unknown := [name for name in key if name not in types]:
        called = ", or before ".join(", ".join(each) for each in schemas)
        key_names = [name for each in schemas for name in each]
        raise ParameterError(
            f"{unknown[0]!r} is no attribute of the key, which is {called}.{did_you_mean(unknown[0], key_names)}"
        )
    parts = [KeyPart(name, types[name], _typed_value(name, types[name], value)) for name, value in key.items()]
    if prefix:
        *others, last = parts
        if last.kind != "S":
            raise ParameterError(f"a prefix needs a text, and {last.name!r} is of type {last.kind}")
        parts = [*others, KeyPart(last.name, last.kind, last.value, prefix=True)]
    whole = len(parts) == len(types) and not prefix
    return canonical_json({part.name: {part.kind: part.value} for part in parts}) if whole else parts


def key_order(text: str) -> tuple[Any, ...]:
    """Return what keys, as canonical texts, are sorted by, as DynamoDB does: numbers as numbers, binary by its bytes.

    >>> sorted(['{"n":{"N":"10"}}', '{"n":{"N":"9"}}'], key=key_order)
    ['{"n":{"N":"9"}}', '{"n":{"N":"10"}}']
    """
    return tuple(
        (name, *_READ[kind](value)) for name, typed in json.loads(text).items() for kind, value in typed.items()
    )


_READ: Mapping[str, Callable[[str], tuple[int, Any]]] = {
    "N": lambda value: (0, Decimal(value)),
    "B": lambda value: (1, base64.b64decode(value)),
    "S": lambda value: (2, value),
}


def _split(text: str) -> list[Mapping[str, Any]]:
    split_keys: list[dict[str, Any]] = []
    try:
        pairs = shlex.split(text)
    except ValueError as error:
        raise ParameterError(f"the key {text!r} cannot be read: {error}") from error
    for pair in pairs:
        name, mark, value = pair.partition("=")
        if not mark:
            raise ParameterError(f"{pair!r} is no NAME=VALUE: write a key like userId=3 transactionId=51")
        if not split_keys or name in split_keys[-1]:
            split_keys.append({})
        split_keys[-1][name] = value
    return [*split_keys]


def _typed_value(name: str, kind: str, value: Any) -> str:
    try:
        if kind == "S" and isinstance(value, str):
            return value
        if kind == "N" and isinstance(value, str | Integral | Decimal) and not isinstance(value, bool):
            return canonical_number(str(value))
        if kind == "B" and isinstance(value, bytes):
            return base64.b64encode(value).decode()
        if kind == "B" and isinstance(value, str) and value.startswith("0x"):
            return base64.b64encode(bytes.fromhex(value[2:])).decode()
    except (RecordRefused, ValueError):
        pass
    wanted = {"S": "a text", "N": "a number", "B": "binary, as bytes or in hex like 0x0aff"}[kind]
    raise ParameterError(f"the key attribute {name!r} is {value!r}: it must be {wanted}")
