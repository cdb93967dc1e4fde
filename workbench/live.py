"""Tables in DynamoDB: written to by the generator, read item by item, and scanned.

boto3, Faker and the standard library are all it needs: the Lambda that writes test data runs this file too.
"""

from __future__ import annotations

import base64
import json
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from workbench.datasets import DATASETS, Writer, check, span_of, times_within, write_changes
from workbench.errors import ParameterError, StoreError
from workbench.records import canonical_json, canonical_keys
from workbench.text import count

_BATCH, _READ = 25, 100  # the most writes of a BatchWriteItem, and keys of a BatchGetItem
_BATCH_BYTES = 15_000_000  # of a BatchWriteItem as it is sent, which may be of 16 MB
_DEAREST = 100.0  # read capacity units of the largest item, of 400 KB
_THROTTLED = ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded")
_LONGEST_PAUSE = 5.0
_POOL = 1_000  # different items the Lambda writes
_TTL = "expires_at"


@dataclass(frozen=True)
class Written:
    """What was written to a table."""

    table: str
    items: int
    """Different items."""
    changes: int
    """Writes that DynamoDB took: puts of new items and of next versions, and deletes."""
    retried: int
    """Writes that it took at a later try only."""
    seconds: float

    def __str__(self) -> str:
        """Write it in a line."""
        again = f", {self.retried:,} at a later try" if self.retried else ""
        written = f"{count(self.changes, 'write')} of {count(self.items, 'item')}"
        return f"{self.table}: {written} in {self.seconds:.1f} s{again}"


def write(
    session: boto3.Session,
    dataset: str,
    *,
    table: str | None = None,
    items: int | None = None,
    changes: int = 1_000,
    seed: int = 0,
    start: datetime | None = None,
    end: datetime | None = None,
    same_instant: float = 0.03,
    rate: float | None = None,
    create: bool = False,
    progress: bool = True,
) -> Written:
    """Write a dataset's changes to a real table, each as a write of its own, in the order they are made.

    DynamoDB gives every change the time at which it is written: `start` and `end` are times in the items only. Items
    whose time to live is over are left to its TTL process.

    Parameters
    ----------
    dataset
        ``persons`` or ``heartrate``; see `workbench.generate.generate`, which also tells of the others.
    table
        The table's name; the dataset's where not given.
    rate
        At most so many writes a second.
    create
        Create the table where it is not there, on demand and with TTL. Otherwise nothing is created.

    Raises
    ------
    ParameterError
        For an unknown dataset, or numbers that make no sense.
    StoreError
        Where there is no such table, it has another key, or DynamoDB takes no more writes.
    """
    check(dataset, items, changes)
    name, rng, span = table or dataset, random.Random(f"{seed} {dataset}"), span_of(start, end)
    data, began = DATASETS[dataset](rng, span), time.perf_counter()
    if create and describe(session, name) is None:
        _create(session.client("dynamodb"), name, data.key)
    key = key_of(session, name)
    if key != data.key:
        raise StoreError(
            f"the table {name!r} has the key {key}, the dataset {dataset!r} the key {data.key}: name another table"
        )
    from tqdm import tqdm  # which the Lambda does not have

    from workbench.progress import seen

    store = LiveStore(session, {name: tuple(key)}, rate=rate)
    with tqdm(
        total=changes, desc=f"{name}: writes", unit=" writes", **(seen() if progress else {"disable": True})
    ) as bar:
        store.done = bar.update
        writer = Writer(store, name, data, rng, items or max(1, int(changes * data.items_a_change)), changes)
        write_changes(writer, times_within(rng, span, changes), same_instant, lambda _: None)
    return Written(name, writer.made, store.written, store.retried, round(time.perf_counter() - began, 2))


def handler(event: Mapping[str, Any] | None, context: Any) -> dict[str, Any]:
    """Write a few generated items to a table: what a Lambda runs.

    Of 1,000 persons those that are there get their next version, and the others are made; readings of heart rates are
    always new. The role needs dynamodb:BatchGetItem and dynamodb:BatchWriteItem on the table.

    Parameters
    ----------
    event
        ``batchSize``, 5 where not given; ``dataset``, persons or heartrate, else ``DATASET`` in the environment, else
        persons; ``table``, else ``TABLE_PERSONS`` or ``TABLE_HEARTRATE``, else ``TABLE``.

    Returns
    -------
    dict
        dataset, table, inserted, modified, written (their sum) and retried.
    """
    event = event or {}
    dataset, size = event.get("dataset") or os.environ.get("DATASET") or "persons", event.get("batchSize", 5)
    check(dataset, None, 1)
    table = event.get("table") or os.environ.get(f"TABLE_{dataset.upper()}") or os.environ.get("TABLE")
    if not table:
        raise ParameterError(f"no table: set TABLE_{dataset.upper()} in the environment, or table in the event")
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= _POOL:
        raise ParameterError(f"batchSize={size!r}: a whole number from 1 to {_POOL:,}")
    remaining = getattr(context, "get_remaining_time_in_millis", lambda: 60_000)() / 1000
    session, rng, now = boto3.Session(), random.Random(), datetime.now(UTC)
    data = DATASETS[dataset](rng, (now - timedelta(days=7), now))
    new = [data.new(number, now) for number in rng.sample(range(_POOL), size)]
    keys = [canonical_keys(_plain(_encoded({name: item[name] for name in data.key}))) for item in new]
    patience = max(1.0, remaining / 2 - 1)
    known = read(session, table, keys, patience=patience)
    store = LiveStore(session, {table: tuple(data.key)}, patience=patience)
    with store.bulk():
        for key, item in zip(keys, new, strict=True):
            image = known.get(key)
            store.put_item(table, data.changed(_decoded(json.loads(image)), now) if image else item)
    return {
        "dataset": dataset,
        "table": table,
        "inserted": size - len(known),
        "modified": len(known),
        "written": store.written,
        "retried": store.retried,
    }


class LiveStore:
    """Writes to tables in DynamoDB, in batches and in order: what datasets use of `workbench.embedded.ItemStore`.

    boto3's own batch writer would drop the first of two writes of one item, whose change the log should have, and
    would try again without a pause and without an end what DynamoDB does not take.

    Parameters
    ----------
    keys
        The names of the key attributes, by table.
    rate
        At most so many writes a second.
    patience
        Seconds for which DynamoDB may take nothing, before it is an error.

    Attributes
    ----------
    written, retried
        Writes that DynamoDB took, and those of them it did not take at once.
    """

    def __init__(
        self,
        session: boto3.Session,
        keys: Mapping[str, Sequence[str]],
        *,
        rate: float | None = None,
        patience: float = 120.0,
    ) -> None:
        self.written = self.retried = 0
        self.done: Callable[[int], object] = lambda count: None
        self._client, self._keys, self._patience, self._pace = session.client("dynamodb"), keys, patience, _Pace(rate)
        self._most = _BATCH if rate is None else max(1, min(_BATCH, int(rate)))
        self._waiting: dict[tuple[str, str], dict[str, Any]] = {}
        self._bytes = 0

    def put_item(self, table: str, item: Mapping[str, Any], *, now: datetime | None = None) -> None:
        """Write an item, in place of one with its key."""
        image = _encoded(item)
        self._add(table, image, {"PutRequest": {"Item": image}})

    def delete_item(self, table: str, key: Mapping[str, Any], *, now: datetime | None = None) -> None:
        """Remove an item; where there is none, nothing happens."""
        image = _encoded(key)
        self._add(table, image, {"DeleteRequest": {"Key": image}})

    def expire(self, table: str, now: datetime | None = None) -> int:
        """Remove nothing: DynamoDB's TTL process does."""
        return 0

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Make writes in batches; all are stored when it ends."""
        yield
        self.flush()

    def flush(self) -> None:
        """Write what waits for a batch to be full."""
        requests: dict[str, list[Any]] = {}
        for (table, _), request in self._waiting.items():
            requests.setdefault(table, []).append(request)
        self._waiting, self._bytes = {}, 0
        since, pauses, first = time.monotonic(), 0, True
        while requests:
            self._pace.wait()
            left = self._send(requests)
            taken = _count(requests) - _count(left)
            self._pace.spend(taken)
            self.written += taken
            self.retried += 0 if first else taken
            self.done(taken)
            requests, first = left, False
            if taken:
                since, pauses = time.monotonic(), 0
            if left:
                self._pause(left, since, pauses)
                pauses += 1

    def _add(self, table: str, image: Mapping[str, Any], request: dict[str, Any]) -> None:
        key = canonical_keys({name: _plain_value(image[name]) for name in self._keys[table]})
        size = len(json.dumps(_plain(image)))  # as boto3 writes it
        full = len(self._waiting) >= self._most or self._bytes + size > _BATCH_BYTES
        if full or (table, key) in self._waiting:  # a batch names no item twice
            self.flush()
        self._waiting[table, key] = request
        self._bytes += size

    def _send(self, requests: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Return the requests that DynamoDB did not take."""
        try:
            left: dict[str, list[Any]] = self._client.batch_write_item(RequestItems=requests).get("UnprocessedItems")
            return left or {}
        except (ClientError, BotoCoreError) as error:
            if _code(error) in _THROTTLED:
                return requests
            told = " and ".join(requests)
            raise refused(error, told, done=f"{self.written:,} writes were made before it") from error

    def _pause(self, left: Mapping[str, Sequence[Any]], since: float, pauses: int) -> None:
        if time.monotonic() - since >= self._patience:
            raise StoreError(
                f"table {' and '.join(map(repr, left))}: for {self._patience:.0f} s DynamoDB took none of "
                f"{_count(left)} writes; {self.written:,} were made before. Raise the table's write "
                "capacity, or write slower, rate="
            )
        time.sleep(random.uniform(0, min(0.05 * 2**pauses, _LONGEST_PAUSE)))


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
        self._pace, self._lock = _Pace(rate), Lock()

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
                        yield from map(_plain, page["Items"])
            finally:
                for future in pages:
                    future.cancel()

    def _page(self, segment: int, after: Mapping[str, Any] | None) -> dict[str, Any]:
        options: dict[str, Any] = {"ExclusiveStartKey": after} if after else {}
        if limit := self._limit():
            options["Limit"] = limit
        self._pace.wait()
        try:
            page: dict[str, Any] = self._client.scan(
                TableName=self._table,
                Segment=segment,
                TotalSegments=self._segments,
                ConsistentRead=True,
                ReturnConsumedCapacity="TOTAL",
                **options,
            )
        except (ClientError, BotoCoreError) as error:
            hint = "scan slower, rate=" if _code(error) in _THROTTLED else "the permission is dynamodb:Scan"
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
        asked = [_native(json.loads(key)) for key in wanted[at : at + _READ]]
        names, since, pauses = list(asked[0]), time.monotonic(), 0
        while asked:
            try:
                answer = client.batch_get_item(RequestItems={table: {"Keys": asked, "ConsistentRead": True}})
            except (ClientError, BotoCoreError) as error:
                if _code(error) not in _THROTTLED:
                    raise refused(error, table, "the permission is dynamodb:BatchGetItem") from error
                answer = {"Responses": {}, "UnprocessedKeys": {table: {"Keys": asked}}}
            images = [_plain(item) for item in answer["Responses"].get(table, [])]
            found |= {canonical_keys({name: image[name] for name in names}): canonical_json(image) for image in images}
            asked = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
            since, pauses = (time.monotonic(), 0) if images else (since, pauses)
            if asked:
                if time.monotonic() - since >= patience:
                    raise StoreError(
                        f"table {table!r}: for {patience:.0f} s DynamoDB read none of {len(asked)} items: "
                        "raise the table's read capacity, or ask again later"
                    )
                time.sleep(random.uniform(0, min(0.05 * 2**pauses, _LONGEST_PAUSE)))
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


def describe(session: boto3.Session, table: str) -> dict[str, Any] | None:
    """Return what DynamoDB tells of a table, None where there is none."""
    try:
        told: dict[str, Any] = session.client("dynamodb").describe_table(TableName=table)["Table"]
    except (ClientError, BotoCoreError) as error:
        if _code(error) == "ResourceNotFoundException":
            return None
        raise refused(error, table, "the permission is dynamodb:DescribeTable") from error
    return told


def _create(client: Any, table: str, key: Mapping[str, str]) -> None:
    kinds = zip(key, ("HASH", "RANGE"), strict=False)
    try:
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in kinds],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in key.items()],
        )
        client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 2, "MaxAttempts": 150})
        client.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": _TTL})
    except (ClientError, BotoCoreError) as error:
        hint = "the permissions are dynamodb:CreateTable and dynamodb:UpdateTimeToLive"
        raise refused(error, table, hint) from error


class _Pace:
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


def _encoded(item: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {name: TypeSerializer().serialize(value) for name, value in item.items()}
    except (TypeError, ValueError, ArithmeticError) as error:
        raise StoreError(f"DynamoDB has no such value: {error}") from error


def _decoded(image: Mapping[str, Any]) -> dict[str, Any]:
    return {name: TypeDeserializer().deserialize(value) for name, value in _native(image).items()}


def _plain(image: Mapping[str, Any]) -> dict[str, Any]:
    """Write an image of boto3 as DynamoDB JSON: binary values as base64."""
    return {name: _plain_value(value) for name, value in image.items()}


def _plain_value(value: Mapping[str, Any]) -> dict[str, Any]:
    return _mapped(value, lambda inner: base64.b64encode(bytes(inner)).decode())


def _native(image: Mapping[str, Any]) -> dict[str, Any]:
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


def _count(requests: Mapping[str, Sequence[Any]]) -> int:
    return sum(map(len, requests.values()))


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def refused(error: Exception, table: str, hint: str = "", *, done: str = "") -> StoreError:
    """Make the error of a request that AWS refused, with its own words, what to do, and what was done before it."""
    code, told = _code(error), f"table {table!r}: {str(error).splitlines()[0]}"
    if code == "ResourceNotFoundException":
        told = f"there is no table {table!r} in DynamoDB here ({code})"
        hint = "create it, or name another table, region or profile"
    return StoreError("; ".join(part for part in (told, hint, done) if part))
