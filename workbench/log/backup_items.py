"""The items in what people keep as a backup of a table: what a scan printed, arrays, batch requests, bare items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workbench.model.canonical import PYTHON_TYPES


def items_of(value: Any) -> Iterator[Any]:
    """Yield the items in what a backup is made of, each as a line of an export has it: ``{"Item": …}``.

    A backup may be what ``aws dynamodb scan`` printed, an array, a request of ``batch-write-item``, or bare items.

    >>> list(items_of({"Items": [{"pk": {"S": "p-1"}}], "Count": 1}))
    [{'Item': {'pk': {'S': 'p-1'}}}]
    """
    if isinstance(value, list):
        for each in value:
            yield from items_of(each)
    elif isinstance(value, dict) and isinstance(value.get("Items"), list):
        yield from ({"Item": item} for item in value["Items"])
    elif isinstance(value, dict) and any(
        isinstance(each, list) and each and isinstance(each[0], dict) and "PutRequest" in each[0]
        for each in value.values()
    ):
        requests = (each for every in value.values() if isinstance(every, list) for each in every)
        yield from (each["PutRequest"] for each in requests if isinstance(each, dict) and "PutRequest" in each)
    elif isinstance(value, dict) and "Item" not in value and _is_item(value):
        yield {"Item": value}
    else:
        yield value


def _is_item(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(
        isinstance(each, dict) and len(each) == 1 and each.keys() <= PYTHON_TYPES.keys() for each in value.values()
    )
