"""Makes the logs that are measured: real histories of items, delivered as Firehose does, in three layouts.

Keys are drawn by Zipf's law, so that few items change often and most seldom; the old image of a change is the image
before it. Of the changes 2 % come twice, 1 % have the time of the item's change before, some of these lead back to the
image before both (a cycle), and 2 % arrive up to six hours late. The same seed makes the same bytes.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TABLE = "persons"
LAYOUTS = ("raw", "envelope", "parquet")
START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 28
PER_OBJECT = 5_000  # records, in a small log a twentieth of its changes
_SLICE = 20  # objects whose text is made at once
_DAY, _HOUR, _MINUTE = 86_400_000_000, 3_600_000_000, 60_000_000  # microseconds
_ABOUT = "log.json"


@dataclass(frozen=True)
class Log:
    """A log that was made, and what is true of it."""

    folder: str
    layout: str
    changes: int
    """Distinct changes."""
    records: int
    """Delivered changes: with those that came twice."""
    items: int
    living: int
    objects: int
    bytes: int
    busiest: str
    """Key of the item that changed most."""
    busiest_changes: int
    ordinary: str
    """Key of an item with five changes, or as near as there is."""
    instants: tuple[str, str]
    """Two instants, UTC, a day apart."""

    @property
    def data(self) -> Path:
        """The folder of the objects."""
        return Path(self.folder, "data")

    @property
    def truth(self) -> Path:
        """The items that live, as Parquet: pk, version, ledger (text) and image (canonical DynamoDB JSON)."""
        return Path(self.folder, "truth.parquet")

    @property
    def paths(self) -> list[Path]:
        """The objects, in order of arrival."""
        return sorted(path for path in self.data.rglob("*") if path.is_file())


@dataclass(frozen=True)
class Histories:
    """Changes as columns, by item and in their order within it; the state an item is in has a number, 0 is none."""

    item: np.ndarray
    ts: np.ndarray
    """Microseconds since 1970."""
    state: np.ndarray
    before: np.ndarray


def made_log(place: Path, changes: int, layout: str = "raw", seed: int = 13) -> Log:
    """Make a log, or return the one that was made before.

    Parameters
    ----------
    place
        Where logs are kept.
    changes
        How many distinct changes.
    layout
        ``raw`` (Kinesis records, gz), ``envelope`` (canonical changes, gz) or ``parquet`` (the same, snappy).

    Examples
    --------
    >>> log = made_log(Path(tempfile.mkdtemp()), 1_000)
    >>> log.changes, log.records, log.objects
    (1000, 1020, 21)
    """
    folder = place / f"{layout}-{changes}-{seed}"
    if not (folder / _ABOUT).is_file():
        place.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=place, prefix=".unfinished-"))
        try:
            about = _make(unfinished, changes, layout, seed)
            (unfinished / _ABOUT).write_text(json.dumps(about))
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    about = json.loads((folder / _ABOUT).read_text())
    return Log(**about | {"folder": str(folder.resolve()), "instants": tuple(about["instants"])})


def histories(changes: int, seed: int) -> Histories:
    """Draw what happens to which item, when."""
    rng = np.random.default_rng(seed)
    population = max(1, round(196_000 * (changes / 1e6) ** 0.84))
    rank = (population * rng.random(changes) ** 2.2).astype(np.int64)  # by Zipf's law: frequency as rank ** -0.55
    item = (rank * 2_654_435_761 % population).astype(np.int32)  # the busiest are not the first
    ts = np.sort(rng.integers(0, DAYS * _DAY, changes)) + int(START.timestamp()) * 1_000_000
    order = np.argsort(item, kind="stable")
    item, ts = item[order], ts[order]
    number = np.arange(changes)
    first = np.flatnonzero(np.r_[True, item[1:] != item[:-1]])
    total = np.repeat(np.diff(np.r_[first, changes]), np.diff(np.r_[first, changes]))
    version = number - np.repeat(first, np.diff(np.r_[first, changes]))
    tied = (version > 0) & (rng.random(changes) < 0.01)
    ts = ts[np.maximum.accumulate(np.where(tied, 0, number))]

    gone = (item % 4 == 0) & (version % 6 == 5)
    last = (item % 10 == 3) & (version == total - 1) & (version > 0)
    gone |= last & ~np.r_[False, gone[:-1]]
    state = np.where(gone, 0, version + 1).astype(np.int32)
    back = tied & (version >= 2) & (rng.random(changes) < 0.2)
    for _ in range(2):  # what an item goes back to, and from, is there and was not gone back to itself
        back &= ~gone & ~_shifted(gone | tied) & ~_shifted(_shifted(gone | back))
    state[back] = state[np.flatnonzero(back) - 2]
    before = np.where(version == 0, 0, np.r_[0, state[:-1]]).astype(np.int32)
    return Histories(item, ts, state, before)


def _shifted(marks: np.ndarray) -> np.ndarray:
    shifted: np.ndarray = np.r_[False, marks[:-1]]
    return shifted


def _make(folder: Path, changes: int, layout: str, seed: int) -> dict[str, Any]:
    if layout not in LAYOUTS:
        raise ValueError(f"{layout!r} is no layout: {', '.join(LAYOUTS)}")
    past = histories(changes, seed)
    con = duckdb.connect(config={"preserve_insertion_order": True})
    con.execute("set TimeZone = 'UTC'")
    con.execute(_IMAGES)
    truth = _write_truth(con, past, folder / "truth.parquet")

    rng = np.random.default_rng(seed + 1)
    late = rng.random(changes) < 0.02
    arrival = past.ts + np.where(late, rng.integers(0, 6 * _HOUR, changes), rng.integers(0, _MINUTE, changes))
    twice = rng.permutation(changes)[: changes // 50]
    again = arrival[twice] + rng.integers(0, 10 * _MINUTE, len(twice))
    number = np.r_[np.arange(changes), twice]
    arrival = np.r_[arrival, again]
    order = np.argsort(arrival, kind="stable")
    number, arrival = number[order], arrival[order]
    objects = size = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        writing: set[Future[int]] = set()
        for part, path in _objects(con, past, number, arrival, folder / "data", layout, seed):
            writing.add(pool.submit(_write, part, path, layout))
            objects += 1
            if len(writing) > 2 * _SLICE:
                done, writing = wait(writing, return_when=FIRST_COMPLETED)
                size += sum(each.result() for each in done)
        size += sum(each.result() for each in writing)
    return asdict(
        Log(
            folder="",
            layout=layout,
            changes=changes,
            records=len(number),
            objects=objects,
            bytes=size,
            instants=(str(START + timedelta(days=10))[:19], str(START + timedelta(days=11))[:19]),
            **truth,
        )
    )


def _write_truth(con: duckdb.DuckDBPyConnection, past: Histories, path: Path) -> dict[str, Any]:
    """Write what lives in the end, and return what is true of the items."""
    last = np.flatnonzero(np.r_[past.item[1:] != past.item[:-1], True])
    counts = np.diff(np.r_[-1, last])
    ended = pa.table({"item": past.item[last], "state": past.state[last]})  # noqa: F841
    con.execute(
        f"copy (select key_of(item) as pk, state::varchar as version, ledger_of(item, state) as ledger, "
        f"image_of(item, state) as image from ended where state > 0) to '{path}' (format parquet)"
    )
    return {
        "items": len(last),
        "living": int((past.state[last] > 0).sum()),
        "busiest": _key(past.item[last[counts.argmax()]]),
        "busiest_changes": int(counts.max()),
        "ordinary": _key(past.item[last[np.abs(counts - 5).argmin()]]),
    }


def _key(item: int) -> str:
    return f"p-{item:08d}"


def _objects(
    con: duckdb.DuckDBPyConnection,
    past: Histories,
    number: np.ndarray,
    arrival: np.ndarray,
    data: Path,
    layout: str,
    seed: int,
) -> Iterator[tuple[pa.Table, Path]]:
    """Yield the rows of each object, and where it belongs: one column of lines, or those of an envelope."""
    size = max(1, min(PER_OBJECT, len(past.item) // 20))
    step = _SLICE * size
    for start in range(0, len(number), step):
        chosen = number[start : start + step]
        columns = {"item": past.item, "ts": past.ts, "state": past.state, "before": past.before}
        slice_ = pa.table({"number": chosen} | {name: each[chosen] for name, each in columns.items()})  # noqa: F841
        text = _LINES[layout].format(changes=f"({_CHANGES.format(seed=seed)})")
        rows = con.sql(text).to_arrow_table().combine_chunks()
        for at in range(0, len(rows), size):
            first = int(arrival[start + at])
            when = datetime.fromtimestamp(first / 1e6, UTC)
            name = f"{TABLE}-1-{when:%Y-%m-%d-%H-%M-%S}-{(start + at) // size:06d}"
            ending = ".parquet" if layout == "parquet" else ".gz"
            yield rows.slice(at, size), data / f"{when:%Y/%m/%d/%H}" / (name + ending)


def _write(rows: pa.Table, path: Path, layout: str) -> int:
    """Write an object and return its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if layout == "parquet":
        pq.write_table(rows, path, compression="snappy")
    else:
        lines = rows.column("line").combine_chunks()
        offsets = np.frombuffer(lines.buffers()[1], np.int32)
        start, end = offsets[lines.offset], offsets[lines.offset + len(lines)]
        path.write_bytes(gzip.compress(memoryview(lines.buffers()[2])[start:end], 6, mtime=0))
    return path.stat().st_size


# Attributes stand in the order of canonical JSON, so that an envelope's images are a raw record's, character for
# character. Two shapes: persons, and one in three a firm with a phone, an empty map and, some, a number of 20 digits.
_IMAGES = """
create macro key_of(item) as 'p-' || lpad(item::varchar, 8, '0');
create macro keys_of(item) as '{"pk":{"S":"' || key_of(item) || '"}}';
create macro ledger_of(item, state) as
    case when item % 15 = 0 then '9007199254740993' || lpad((item % 1000)::varchar, 3, '0') || '.' || 1 + state % 9 end;
create macro image_of(item, state) as case when state > 0 then
    '{"active":{"BOOL":' || (case when state % 2 = 0 then 'true' else 'false' end)
    || '},"balance":{"N":"' || hash(item::bigint * 1000 + state) % 100000 || '.' || hash(item + state) % 10 || 1 + state % 9
    || '"}' || (case when item % 3 = 0 then ',"extra":{"M":{}}' else '' end)
    || coalesce(',"ledger":{"N":"' || ledger_of(item, state) || '"}', '')
    || ',"note":{"S":"' || md5((item + state // 4)::varchar)
    || '"},"person":{"M":{"age":{"N":"' || 20 + (item + state // 3) % 60
    || '"},"city":{"S":"' || ['Berlin', 'Paris', 'Rome', 'Oslo', 'Lisbon'][1 + (item + state // 5) % 5]
    || '"},"name":{"S":"Name ' || item % 5000
    || '"},"score":{"N":"' || (item::bigint * 31 + state * 17) % 10000 || '.5"}}}'
    || (case when item % 3 = 0 then ',"phone":{"S":"+49 ' || hash(item) % 10000000 || '"}' else '' end)
    || ',"pk":{"S":"' || key_of(item)
    || '"},"tags":{"SS":["a' || state % 7
    || '","b","c"]},"updated_by":{"S":"user-' || hash(state + item) % 50
    || '"},"version":{"N":"' || state || '"}}' end;
"""
_CHANGES = """
select md5('{seed} ' || number)::uuid::varchar as event_id,
    case when state = 0 then 'REMOVE' when before = 0 then 'INSERT' else 'MODIFY' end as event_name,
    ts, keys_of(item) as keys, image_of(item, state) as new_image, image_of(item, before) as old_image,
    300 + state % 50 as size_bytes, state = 0 and item % 3 = 0 as by_ttl
from slice_
"""
_LINES = {
    "raw": """
select '{{"awsRegion":"eu-central-1","eventID":"' || event_id || '","eventName":"' || event_name || '","userIdentity":'
    || (case when by_ttl then '{{"principalId":"dynamodb.amazonaws.com","type":"Service"}}' else 'null' end)
    || ',"recordFormat":"application/json","tableName":"persons","dynamodb":{{"ApproximateCreationDateTime":' || ts
    || ',"ApproximateCreationDateTimePrecision":"MICROSECOND","Keys":' || keys
    || coalesce(',"NewImage":' || new_image, '') || coalesce(',"OldImage":' || old_image, '')
    || ',"SizeBytes":' || size_bytes || '}},"eventSource":"aws:dynamodb"}}' || chr(10) as line
from {changes}
""",
    "envelope": """
select '{{"event_id":"' || event_id || '","event_name":"' || event_name || '","table_name":"persons","ts":"'
    || strftime(make_timestamp(ts), '%Y-%m-%d %H:%M:%S.%f') || '","keys":' || to_json(keys)
    || ',"new_image":' || coalesce(to_json(new_image), 'null') || ',"old_image":' || coalesce(to_json(old_image), 'null')
    || ',"size_bytes":' || size_bytes || ',"by_ttl":' || (case when by_ttl then 'true' else 'false' end)
    || ',"aws_region":"eu-central-1","account_id":null}}' || chr(10) as line
from {changes}
""",
    "parquet": """
select event_id, event_name, 'persons' as table_name, make_timestamp(ts) as ts, keys, new_image, old_image,
    size_bytes::bigint as size_bytes, by_ttl, 'eu-central-1' as aws_region, null::varchar as account_id
from {changes}
""",
}
