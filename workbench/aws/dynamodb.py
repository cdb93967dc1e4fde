"""Tables in DynamoDB: described, read item by item, and scanned; items are DynamoDB JSON.

>>> from workbench.aws import open_session
>>> session = open_session(load_settings(region="eu-central-1"))  # doctest: +SKIP
>>> key_of(session, "persons")  # doctest: +SKIP
{'pk': 'S'}
>>> [image["name"] for image in scan(session, "persons", rate=100)]  # doctest: +SKIP
[{'S': 'Ann'}, {'S': 'Ben'}]

boto3 and the standard library are all it needs: the Lambda that writes test data runs this file too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from threading import Lock
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from workbench.aws.dynamodb_values import Image, native_image, plain_image
from workbench.aws.errors import THROTTLED, error_code, explained
from workbench.aws.pacing import Backoff, Pace
from workbench.errors import ParameterError, StoreError
from workbench.model.records import canonical_json, canonical_keys

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        BatchGetItemOutputTypeDef,
        ScanInputTypeDef,
        ScanOutputTypeDef,
        TableDescriptionTypeDef,
        UniversalAttributeValueTypeDef,
    )

_READ = 100  # the most keys of a BatchGetItem
_DEAREST = 100.0  # read capacity units of the largest item, of 400 KB


class Scan:
    """A scan under way: iterate over it once for the items, as DynamoDB JSON images; `scan` makes it.

    Attributes
    ----------
    items, pages
        How many have been read.
    capacity
        Read capacity units consumed.
    """

    def __init__(self, session: boto3.Session, table: str, segments: int, rate: float | None) -> None:
        self.items, self.pages, self.capacity = 0, 0, 0.0
        self._client, self._table, self._segments = session.client("dynamodb"), table, segments
        self._pace, self._lock = Pace(rate), Lock()

    def __iter__(self) -> Iterator[Image]:
        """Yield the items of every segment's pages, at most two pages a segment held at a time."""
        with ThreadPoolExecutor(self._segments) as pool:
            pages = {pool.submit(self._page, segment, None): segment for segment in range(self._segments)}
            try:
                while pages:
                    for future in wait(pages, return_when=FIRST_COMPLETED).done:
                        segment, page = pages.pop(future), future.result()
                        if last := page.get("LastEvaluatedKey"):
                            pages[pool.submit(self._page, segment, last)] = segment
                        yield from map(plain_image, page["Items"])
            finally:
                for future in pages:
                    future.cancel()

    def _page(self, segment: int, after: Mapping[str, UniversalAttributeValueTypeDef] | None) -> ScanOutputTypeDef:
        request: ScanInputTypeDef = {
            "TableName": self._table,
            "Segment": segment,
            "TotalSegments": self._segments,
            "ConsistentRead": True,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if after:
            request["ExclusiveStartKey"] = after
        if limit := self._limit():
            request["Limit"] = limit
        self._pace.wait()
        slower = dict.fromkeys(THROTTLED, "scan slower, rate=")
        with explained_table(self._table, "dynamodb:Scan", when=slower):
            page = self._client.scan(**request)
        spent = page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
        with self._lock:
            self.items, self.pages, self.capacity = self.items + page["Count"], self.pages + 1, self.capacity + spent
        self._pace.spend(spent)
        return page

    def _limit(self) -> int | None:
        """Return how many items a page may have to cost a segment about a second's share."""
        if not self._pace.rate:
            return None
        cost = self.capacity / self.items if self.items and self.capacity else _DEAREST  # before any is known
        return max(1, int(self._pace.rate / self._segments / cost))


def scan(session: boto3.Session, table: str, *, segments: int = 4, rate: float | None = None) -> Scan:
    """Read every item of a table, in parallel segments, each read consistently.

    A scan is no snapshot: a change made while it runs is in it or not.

    Parameters
    ----------
    rate
        At most about so many read capacity units a second: a unit is 4 KB read consistently. Without one, as much as
        the table gives.

    Raises
    ------
    StoreError
        While it is iterated over: where the table cannot be read.
    """
    if not 1 <= segments <= 1_000_000 or (rate is not None and rate <= 0):
        raise ParameterError(f"segments={segments}, rate={rate}: at least one segment, and a rate above nothing")
    return Scan(session, table, segments, rate)


def read(session: boto3.Session, table: str, keys: Iterable[str], *, patience: float = 120.0) -> dict[str, str]:
    """Read items by their keys, consistently.

    Parameters
    ----------
    keys
        Canonical DynamoDB JSON, such as ``{"pk":{"S":"p-1"}}``.
    patience
        Seconds for which DynamoDB may read nothing, before it is an error.

    Returns
    -------
    dict
        The canonical images of the items that are there, by their canonical keys.

    Raises
    ------
    StoreError
        Where the table cannot be read.
    """
    client, images = session.client("dynamodb"), dict[str, str]()
    wanted = list(dict.fromkeys(keys))
    for at in range(0, len(wanted), _READ):
        asked: list[Image] = [native_image(json.loads(key)) for key in wanted[at : at + _READ]]
        names, backoff = list(asked[0]), Backoff(patience)
        while asked:
            items: list[Image] = []
            with explained_table(table, "dynamodb:BatchGetItem"):
                try:
                    response = client.batch_get_item(RequestItems={table: {"Keys": asked, "ConsistentRead": True}})
                except ClientError as error:
                    if error_code(error) not in THROTTLED:
                        raise
                else:
                    items = [plain_image(item) for item in response["Responses"].get(table, [])]
                    asked = _unread(response, table)
            if items:
                images |= {canonical_keys({name: item[name] for name in names}): canonical_json(item) for item in items}
                backoff.reset()
            if asked and not backoff.pause():
                raise StoreError(
                    f"table {table!r}: for {patience:.0f} s DynamoDB read none of {len(asked)} items: "
                    "raise the table's read capacity, or ask again later"
                )
    return images


def _unread(response: BatchGetItemOutputTypeDef, table: str) -> list[Image]:
    """Return the keys that a batch did not get to."""
    unprocessed = response.get("UnprocessedKeys", {})
    keys = unprocessed[table]["Keys"] if table in unprocessed else []
    return [{name: {**value} for name, value in key.items()} for key in keys]


def key_of(session: boto3.Session, table: str) -> dict[str, str]:
    """Return the key attributes of a table and their types (S, N, B), partition key first.

    Raises
    ------
    StoreError
        Where there is no such table, or it cannot be described.
    """
    description = describe(session, table)
    if description is None:
        raise StoreError(
            f"there is no table {table!r} in DynamoDB in {session.region_name}: create it, or name "
            "another table, region or profile"
        )
    types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
    ordered = sorted(description["KeySchema"], key=lambda part: part["KeyType"] != "HASH")
    return {part["AttributeName"]: types[part["AttributeName"]] for part in ordered}


def describe(session: boto3.Session, table: str) -> TableDescriptionTypeDef | None:
    """Return DynamoDB's description of a table; None where there is no such table.

    Raises
    ------
    StoreError
        Where it cannot be described.
    """
    client = session.client("dynamodb")
    with explained_table(table, "dynamodb:DescribeTable"):
        try:
            return client.describe_table(TableName=table)["Table"]
        except client.exceptions.ResourceNotFoundException:
            return None


def time_to_live(session: boto3.Session, table: str) -> str | None:
    """Name the attribute that tells when items of a table expire; None where they do not.

    Raises
    ------
    StoreError
        Where it cannot be told.
    """
    with explained_table(table, "dynamodb:DescribeTimeToLive"):
        told = session.client("dynamodb").describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    return told.get("AttributeName") if told.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else None


def explained_table(
    table: str, *permissions: str, when: Mapping[str, str | StoreError] | None = None, note: str = ""
) -> AbstractContextManager[None]:
    """Raise an error of AWS about a table as a StoreError; see `workbench.aws.errors.explained`."""
    nowhere = f"there is no table {table!r} in DynamoDB here (ResourceNotFoundException); create it, or name another "
    absent = StoreError("; ".join(filter(None, (f"{nowhere}table, region or profile", note))))
    return explained(
        f"table {table!r}", *permissions, when={"ResourceNotFoundException": absent, **(when or {})}, note=note
    )
