"""Tables in DynamoDB: described, read item by item, and scanned.

boto3 and the standard library are all it needs: the Lambda that writes test data runs this file too.
"""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from workbench.errors import ParameterError, StoreError
from workbench.model.records import canonical_json, canonical_keys

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import ScanOutputTypeDef, TableDescriptionTypeDef

_READ = 100  # the most keys of a BatchGetItem
_DEAREST = 100.0  # read capacity units of the largest item, of 400 KB
THROTTLED = ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded")
LONGEST_PAUSE = 5.0


class Scan:
    """A scan under way: iterate over it once for the items, as DynamoDB JSON images.

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

    def __iter__(self) -> Iterator[dict[str, Any]]:
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

    def _page(self, segment: int, after: Mapping[str, Any] | None) -> ScanOutputTypeDef:
        options: dict[str, Any] = {"ExclusiveStartKey": after} if after else {}
        if limit := self._limit():
            options["Limit"] = limit
        self._pace.wait()
        try:
            page = self._client.scan(
                TableName=self._table,
                Segment=segment,
                TotalSegments=self._segments,
                ConsistentRead=True,
                ReturnConsumedCapacity="TOTAL",
                **options,
            )
        except (ClientError, BotoCoreError) as error:
            hint = "scan slower, rate=" if error_code(error) in THROTTLED else "the permission is dynamodb:Scan"
            raise refused(error, self._table, hint) from error
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
    """Read items by their keys, consistently: their canonical images by their canonical keys, where they are there.

    Raises
    ------
    StoreError
        Where the table cannot be read.
    """
    client, found = session.client("dynamodb"), dict[str, str]()
    wanted = list(dict.fromkeys(keys))
    for at in range(0, len(wanted), _READ):
        asked = [native_image(json.loads(key)) for key in wanted[at : at + _READ]]
        names, since, pauses = list(asked[0]), time.monotonic(), 0
        while asked:
            try:
                response = client.batch_get_item(RequestItems={table: {"Keys": asked, "ConsistentRead": True}})
                images = [plain_image(item) for item in response["Responses"].get(table, [])]
                unread = response.get("UnprocessedKeys", {})
                asked = [dict(key) for key in unread[table]["Keys"]] if table in unread else []
            except (ClientError, BotoCoreError) as error:
                if error_code(error) not in THROTTLED:
                    raise refused(error, table, "the permission is dynamodb:BatchGetItem") from error
                images = []
            found |= {canonical_keys({name: image[name] for name in names}): canonical_json(image) for image in images}
            since, pauses = (time.monotonic(), 0) if images else (since, pauses)
            if asked:
                if time.monotonic() - since >= patience:
                    raise StoreError(
                        f"table {table!r}: for {patience:.0f} s DynamoDB read none of {len(asked)} items: "
                        "raise the table's read capacity, or ask again later"
                    )
                time.sleep(random.uniform(0, min(0.05 * 2**pauses, LONGEST_PAUSE)))
                pauses += 1
    return found


def key_of(session: boto3.Session, table: str) -> dict[str, str]:
    """Return the key attributes of a table and their types, partition key first.

    Raises
    ------
    StoreError
        Where there is no such table, or it cannot be described.
    """
    told = describe(session, table)
    if told is None:
        raise StoreError(
            f"there is no table {table!r} in DynamoDB in {session.region_name}: create it, or name "
            "another table, region or profile"
        )
    types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in told["AttributeDefinitions"]}
    ordered = sorted(told["KeySchema"], key=lambda part: part["KeyType"] != "HASH")
    return {part["AttributeName"]: types[part["AttributeName"]] for part in ordered}


def describe(session: boto3.Session, table: str) -> TableDescriptionTypeDef | None:
    """Return what DynamoDB tells of a table, None where there is none."""
    try:
        return session.client("dynamodb").describe_table(TableName=table)["Table"]
    except (ClientError, BotoCoreError) as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise refused(error, table, "the permission is dynamodb:DescribeTable") from error


class Pace:
    """Holds work up so that no more than so much of it is done a second."""

    def __init__(self, rate: float | None) -> None:
        self.rate, self._due, self._lock = rate, 0.0, Lock()

    def wait(self) -> None:
        """Wait until what was spent so far was due."""
        while (ahead := self._due - time.monotonic()) > 0:
            time.sleep(ahead)

    def spend(self, amount: float) -> None:
        """Say how much was done."""
        if self.rate:
            with self._lock:
                self._due = max(self._due, time.monotonic()) + amount / self.rate


def plain_image(image: Mapping[str, Any]) -> dict[str, Any]:
    """Write an image of boto3 as DynamoDB JSON: binary values as base64."""
    return {name: plain_value(value) for name, value in image.items()}


def plain_value(value: Mapping[str, Any]) -> dict[str, Any]:
    """Write a value of boto3 as DynamoDB JSON."""
    return _mapped(value, lambda inner: base64.b64encode(bytes(inner)).decode())


def native_image(image: Mapping[str, Any]) -> dict[str, Any]:
    """Read DynamoDB JSON as boto3 takes it: binary values as bytes."""
    return {name: _mapped(value, base64.b64decode) for name, value in image.items()}


def _mapped(value: Mapping[str, Any], binary: Callable[[Any], Any]) -> dict[str, Any]:
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


def error_code(error: Exception) -> str:
    """Return the code of an error of AWS; '' where it is another."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def refused(error: Exception, table: str, hint: str = "", *, done: str = "") -> StoreError:
    """Make the error of a request that AWS refused, with its own words, what to do, and what was done before it."""
    code, told = error_code(error), f"table {table!r}: {str(error).splitlines()[0]}"
    if code == "ResourceNotFoundException":
        told = f"there is no table {table!r} in DynamoDB here ({code})"
        hint = "create it, or name another table, region or profile"
    return StoreError("; ".join(part for part in (told, hint, done) if part))
