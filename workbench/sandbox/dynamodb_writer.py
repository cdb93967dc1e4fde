"""Writes the changes of a dataset to a table of DynamoDB, from this machine or from a Lambda.

boto3, Faker and the standard library are all it needs: the Lambda that writes test data runs this file too.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict, cast

import boto3
from botocore.exceptions import ClientError

from workbench.aws.dynamodb import describe, explained_table, key_of, read
from workbench.aws.dynamodb_values import Image, deserialized, plain_image, serialized
from workbench.aws.errors import THROTTLED, error_code
from workbench.aws.pacing import Backoff, Pace
from workbench.errors import ParameterError, StoreError
from workbench.model.canonical import canonical_keys
from workbench.sandbox.change_writer import Writer, span_of, times_within, write_changes
from workbench.sandbox.datasets import DATASETS, check
from workbench.text import count

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.literals import KeyTypeType, ScalarAttributeTypeType
    from types_boto3_dynamodb.type_defs import WriteRequestOutputTypeDef, WriteRequestTypeDef

    _WriteRequest = WriteRequestTypeDef | WriteRequestOutputTypeDef
    _Requests = dict[str, list[_WriteRequest]]

_BATCH = 25  # the most writes of a BatchWriteItem
_BATCH_BYTES = 15_000_000  # of a BatchWriteItem as it is sent, which may be of 16 MB
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
        ``persons``, ``heartrate`` or ``orders``; see `workbench.sandbox.generate.generate`, which also tells of the
        others.
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

    from workbench.progress import tqdm_options

    store = LiveStore(session, {name: tuple(key)}, rate=rate)
    with tqdm(total=changes, desc=f"{name}: writes", unit=" writes", **tqdm_options(show=progress)) as bar:
        store.done = bar.update
        writer = Writer(store, name, data, rng, items or max(1, int(changes * data.items_a_change)), changes)
        write_changes(writer, times_within(rng, span, changes), same_instant, lambda _: None)
    return Written(name, writer.inserted, store.written, store.retried, round(time.perf_counter() - began, 2))


class Event(TypedDict, total=False):
    """What the Lambda is told; see `handler`."""

    batchSize: int
    dataset: str
    table: str


def handler(event: Event | None, context: object) -> dict[str, str | int]:
    """Write a few generated items to a table: what a Lambda runs.

    Of 1,000 persons or orders those that are there get their next version, and the others are made; readings of heart
    rates are always new. The role needs dynamodb:BatchGetItem and dynamodb:BatchWriteItem on the table.

    Parameters
    ----------
    event
        ``batchSize``, 5 where not given; ``dataset``, persons, heartrate or orders, else ``DATASET`` in the
        environment, else persons; ``table``, else ``TABLE_PERSONS``, ``TABLE_HEARTRATE`` or ``TABLE_ORDERS``, else
        ``TABLE``.

    Returns
    -------
    dict
        dataset, table, inserted, modified, written (their sum) and retried.
    """
    event = event or Event()
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
    keys = [canonical_keys(plain_image(serialized({name: item[name] for name in data.key}))) for item in new]
    patience = max(1.0, remaining / 2 - 1)
    images = read(session, table, keys, patience=patience)
    store = LiveStore(session, {table: tuple(data.key)}, patience=patience)
    with store.bulk():
        for key, item in zip(keys, new, strict=True):
            image = images.get(key)
            store.put_item(table, data.changed(deserialized(json.loads(image)), now) if image else item)
    return {
        "dataset": dataset,
        "table": table,
        "inserted": size - len(images),
        "modified": len(images),
        "written": store.written,
        "retried": store.retried,
    }


class LiveStore:
    """Writes to tables in DynamoDB, in batches and in order: what datasets use of `workbench.sandbox.ItemStore`.

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
        self._client, self._keys, self._patience, self._pace = session.client("dynamodb"), keys, patience, Pace(rate)
        self._most = _BATCH if rate is None else max(1, min(_BATCH, int(rate)))
        self._waiting: dict[tuple[str, str], _WriteRequest] = {}
        self._bytes = 0

    def put_item(self, table: str, item: Mapping[str, object], *, now: datetime | None = None) -> None:
        """Write an item, in place of one with its key."""
        image = serialized(item)
        self._add(table, image, {"PutRequest": {"Item": image}})

    def delete_item(self, table: str, key: Mapping[str, object], *, now: datetime | None = None) -> None:
        """Remove an item; where there is none, nothing happens."""
        image = serialized(key)
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
        requests: _Requests = {}
        for (table, _), request in self._waiting.items():
            requests.setdefault(table, []).append(request)
        self._waiting, self._bytes = {}, 0
        backoff, first = Backoff(self._patience), True
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
                backoff.reset()
            if left and not backoff.pause():
                raise StoreError(
                    f"table {' and '.join(map(repr, left))}: for {self._patience:.0f} s DynamoDB took none of "
                    f"{_count(left)} writes; {self.written:,} were made before. Raise the table's write "
                    "capacity, or write slower, rate="
                )

    def _add(self, table: str, image: Image, request: _WriteRequest) -> None:
        plain = plain_image(image)
        key = canonical_keys({name: plain[name] for name in self._keys[table]})
        size = len(json.dumps(plain))  # as boto3 writes it
        full = len(self._waiting) >= self._most or self._bytes + size > _BATCH_BYTES
        if full or (table, key) in self._waiting:  # a batch names no item twice
            self.flush()
        self._waiting[table, key] = request
        self._bytes += size

    def _send(self, requests: _Requests) -> _Requests:
        """Return the requests that DynamoDB did not take."""
        before = f"{self.written:,} writes were made before it"
        with explained_table(" and ".join(requests), "dynamodb:BatchWriteItem", note=before):
            try:
                response = self._client.batch_write_item(RequestItems=requests)
            except ClientError as error:
                if error_code(error) in THROTTLED:
                    return requests
                raise
        return {table: list(left) for table, left in (response.get("UnprocessedItems") or {}).items()}


def _create(client: DynamoDBClient, table: str, key: Mapping[str, str]) -> None:
    kinds: tuple[KeyTypeType, ...] = ("HASH", "RANGE")
    with explained_table(table, "dynamodb:CreateTable", "dynamodb:UpdateTimeToLive"):
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in zip(key, kinds, strict=False)],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": cast("ScalarAttributeTypeType", kind)}
                for name, kind in key.items()
            ],
        )
        client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 2, "MaxAttempts": 150})
        client.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": _TTL})


def _count(requests: _Requests) -> int:
    return sum(map(len, requests.values()))
