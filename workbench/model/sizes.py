"""The sizes that DynamoDB counts: of items and values, in bytes and in levels.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LARGEST_ITEM = 400 * 1024
"""In bytes (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html)."""
DEEPEST = 32
"""Levels of an item, its attributes being the first."""
LONGEST_KEYS = (2048, 1024)
"""Bytes of the value of a partition key, and of a sort key."""


def item_size(image: Mapping[str, Any]) -> tuple[int, int]:
    """Return an item's size in bytes, as DynamoDB counts it, and how many levels deep it is.

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
