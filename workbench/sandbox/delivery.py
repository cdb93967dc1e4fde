"""What Kinesis and Firehose do: takes the captured changes and writes objects of them into the lake."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.errors import RecordRefused
from workbench.lock import alone
from workbench.log.objects import PARQUET
from workbench.model.records import canonical_change
from workbench.paths import UNFINISHED, write_atomically
from workbench.sandbox.item_store import ItemStore

DeliveryFormat = Literal["envelope", "parquet", "raw"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000
_LARGEST_OBJECT = 64 << 20  # bytes of records: 20,000 of the largest items would not fit the memory
_ENDING = {"envelope": ".json.gz", "raw": ".json.gz", "parquet": ".parquet"}


@dataclass(frozen=True)
class Faults:
    """Shares of the changes that are delivered twice, hours late, or minutes late, after newer ones."""

    duplicates: float = 0.0
    late: float = 0.0
    reordered: float = 0.0


@dataclass(frozen=True)
class Delivered:
    """What was delivered: records (those sent twice counted twice), objects, and records refused."""

    deliveries: int
    objects: int
    refused: int


def deliver(
    store: ItemStore,
    lake: Path,
    table: str,
    *,
    layout: DeliveryFormat = "envelope",
    buffer_seconds: int = 300,
    buffer_records: int = 20_000,
    faults: Faults | None = None,
    seed: int = 0,
    progress: Callable[[int], object] = lambda records: None,
) -> Delivered:
    """Deliver the pending changes of a table.

    Objects lie in ``data/TABLE/year=/month=/day=/hour=`` by the arrival (UTC) of their oldest record;
    records that are no changes go to ``errors/TABLE/processing-failed``, in Firehose's form. An object is
    written under a temporary name, then renamed, and only then are its changes forgotten: a process killed
    at any moment loses none and leaves no half object. What is then delivered again takes the place of what
    was delivered, for the time of arrival is noted first.

    Parameters
    ----------
    layout
        ``envelope`` (JSON, gzip), ``parquet`` (the same, format converted) or ``raw``.
    faults
        For generated tables: arrivals are then reckoned from the changes' own times, with these faults.
        Without, everything arrives now.

    Raises
    ------
    StoreError
        Where another process has been delivering into this lake for more than a minute.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, ItemStore(Path(folder, "store.sqlite")) as store:
    ...     store.create_table("persons", {"pk": "S"})
    ...     store.put_item("persons", {"pk": "p-1", "age": 41})
    ...     deliver(store, Path(folder, "lake"), "persons")
    Delivered(deliveries=1, objects=1, refused=0)
    """
    if not next(store.pending(table), None):
        return Delivered(0, 0, 0)
    with alone(lake, "delivering", f"delivering into {lake}"):
        now, pending = (datetime.now(UTC) - _EPOCH) // timedelta(microseconds=1), list(store.pending(table))
        if not pending:  # the one before has delivered them
            return Delivered(0, 0, 0)
        arrivals = (
            _arrivals(pending, faults, random.Random(seed), now)
            if faults
            else store.arrive(table, [seq for seq, _ in pending], now)
        )
        _clean_up(lake, table)
        refused = objects = 0
        for batch in _buffers(store, arrivals, buffer_seconds * _SECOND, buffer_records):
            refused += _write_object(store, lake, table, batch, layout, objects)
            objects += 1
            progress(len(batch))
        store.delivered(table, pending[-1][0])
    return Delivered(len(arrivals) - refused, objects, refused)


def _arrivals(
    pending: Iterable[tuple[int, int]], faults: Faults, rng: random.Random, now: int
) -> list[tuple[int, int]]:
    """Draw when each change arrives: most within two seconds, none in the future."""
    arrivals: list[tuple[int, int]] = []
    steady = 0
    for seq, micros in pending:
        steady = max(steady, micros + int(rng.uniform(0.2, 1.5) * _SECOND))  # what has no fault keeps its order
        arrival, drawn = steady, rng.random()
        if drawn < faults.late:
            arrival += int(rng.uniform(2, 30) * 3600 * _SECOND)
        elif drawn < faults.late + faults.reordered:
            arrival += int(rng.uniform(60, 3600) * _SECOND)
        arrivals.append((min(arrival, now), seq))
        if rng.random() < faults.duplicates:
            again = rng.choice((rng.uniform(0, 2), rng.uniform(60, 4 * 3600)))
            arrivals.append((min(arrival + int(again * _SECOND), now), seq))
    arrivals.sort()
    return arrivals


def _buffers(
    store: ItemStore, arrivals: Sequence[tuple[int, int]], micros: int, records: int
) -> Iterator[list[tuple[int, int]]]:
    buffer: list[tuple[int, int]] = []
    held = 0
    for arrival in arrivals:
        size = store.record_size(arrival[1])
        if buffer and (arrival[0] - buffer[0][0] > micros or len(buffer) >= records or held + size > _LARGEST_OBJECT):
            yield buffer
            buffer, held = [], 0
        buffer.append(arrival)
        held += size
    if buffer:
        yield buffer


def _write_object(
    store: ItemStore, lake: Path, table: str, batch: Sequence[tuple[int, int]], layout: DeliveryFormat, number: int
) -> int:
    changes: list[dict[str, Any]] = []
    lines: list[bytes] = []
    failed: list[bytes] = []
    records = store.records([seq for _, seq in batch])
    for record in records:
        try:
            change = canonical_change(orjson.loads(record))
        except (RecordRefused, ValueError) as error:
            failed.append(_failure(record, str(error), batch[0][0]))
            continue
        if layout == "parquet":
            changes.append(change)
        else:
            lines.append(record if layout == "raw" else orjson.dumps(change))
    moment = _EPOCH + timedelta(microseconds=batch[0][0])
    # Named by its number and first record: delivered again, perhaps with later records, it takes its own place.
    digest = hashlib.blake2b(b"%d %d %s" % (number, batch[0][0], records[0]), digest_size=16).digest()
    stem = f"{moment:year=%Y/month=%m/day=%d/hour=%H}/{table}-1-{moment:%Y-%m-%d-%H-%M-%S}-{uuid.UUID(bytes=digest)}"
    if changes:
        with write_atomically(lake / "data" / table / f"{stem}.parquet") as part:
            pq.write_table(pa.Table.from_pylist(changes, schema=PARQUET), part, compression="zstd")
    if lines:
        with write_atomically(lake / "data" / table / f"{stem}{_ENDING[layout]}") as part:
            part.write_bytes(_zipped(lines))
    if failed:
        with write_atomically(lake / "errors" / table / "processing-failed" / f"{stem}.json.gz") as part:
            part.write_bytes(_zipped(failed))
    return len(failed)


def _zipped(lines: Sequence[bytes]) -> bytes:
    return gzip.compress(b"\n".join(lines) + b"\n", compresslevel=6, mtime=0)


def _failure(record: bytes, why: str, arrival: int) -> bytes:
    # https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
    millis = arrival // 1000
    return json.dumps(
        {
            "attemptsMade": 1,
            "arrivalTimestamp": millis,
            "errorCode": "Lambda.ProcessingFailedStatus",
            "errorMessage": why,
            "attemptEndingTimestamp": millis,
            "rawData": base64.b64encode(record).decode(),
            "lambdaArn": "local",
        }
    ).encode()


def _clean_up(lake: Path, table: str) -> None:
    for part in (part for kind in ("data", "errors") for part in (lake / kind / table).rglob(UNFINISHED)):
        part.unlink(missing_ok=True)
