"""One change log under every layout: as files for the embedded engine, and as Glue tables over the same files in S3."""

from __future__ import annotations

import base64
import gzip
import json
import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.helpers.lakes import in_four_columns
from tests.helpers.logs import chain, flat
from tests.properties.test_replay import shuffled, twice
from workbench.aws.session import Session
from workbench.aws.table_definitions import table_input
from workbench.log.objects import SCHEMA
from workbench.model.records import canonical_change

BUCKET, DATABASE, TABLE = "lake", "lake", "things"
START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=2)
Record = dict[str, Any]
Declare = Callable[[str, str, Sequence[Record]], dict[str, Any]]
"""Make a Glue table from its name, its location and the records in it."""

TEXTS = [
    "",
    "x",
    "ö",
    '"',
    "\\",
    "\n\t",
    "\x1f",
    "a/b",
    "\u2028",
    "😀",
    "null",
    '"N":"1.0"',
    '"SS":["b","a"]',
    "it's",
    "[1]",
    "\\u001F",
    "\\\\uD83D\\uDE00",
]
NUMBERS = ["0", "-0", "1.50", "10", "9", "-2.5", "12345678901234567890123456789012345678", "0.001", "100", "007"]
OTHERS = [*({"N": number} for number in NUMBERS), {"BOOL": True}, {"BOOL": False}, {"NULL": True}]
ODD_NAMES = ["a", "A", "b.c", 'q"q', "ö", "back\\slash", "*", "", "a b", "it's", "😀", "$", "a[0]", "N", "SS"]
PLAIN_NAMES = ["age", "tags", "address", "first_name", "n2", "n"]


@dataclass(frozen=True)
class Layout:
    """How a log is stored and declared: its rows, its columns, its SerDe and its partitions."""

    write: Callable[[Record], Mapping[str, Any]]
    table: Declare
    stored: str = "json"
    records: str = "odd"
    """Which log: ``odd`` names and all types, ``plain`` names that survive a crawler, or ``texts`` only."""
    folder: str = "year=%Y/month=%m/day=%d/hour=%H/"


def histories(seed: int, kind: str) -> list[Record]:
    """Make the changes of some items: every type, ties, removals by TTL, lost records, records without old images."""
    rng = random.Random(seed)
    names = {"odd": ODD_NAMES, "plain": PLAIN_NAMES, "texts": PLAIN_NAMES}[kind]
    made: list[Record] = []
    for item in range(60):
        key = {
            "pk": {"S": f"{TEXTS[item // 3 % len(TEXTS)] if kind == 'odd' else 'p'}-{item // 3}"},
            "sk": {"N": rng.choice(["1", "10", "-2.50"]) if item % 3 == 0 else str(item)},
        }
        pool = [
            key | some | {name: value(rng, kind) for name in rng.sample(names[1:], rng.randint(0, 4))}
            for some in (
                {},
                {names[0]: {"S": TEXTS[item % len(TEXTS)]}},
                {names[0]: value(rng, kind) if kind == "texts" else OTHERS[item % len(OTHERS)]},
            )
        ]
        now, states = int(START.timestamp() * 1e6) + rng.randrange(2 * 86_400_000_000), []
        for _ in range(rng.randint(1, 7)):
            now += rng.choice([0, 0, 1, 999, 60_000_000, 3_600_000_000])
            state = rng.choice([*pool, None])
            if states or state is not None:
                states.append((now, state))
        states = [
            each
            for number, each in enumerate(states)
            if not (number and each[1] is None and states[number - 1][1] is None)
        ]
        records = chain(key, states, ids=[f"{rng.random()}-{item}" for _ in states])
        for record in records:
            change = record["dynamodb"]
            for image in {"NewImage", "OldImage"} & set(change):
                change[image] = twice(shuffled(change[image], rng))
            change["SizeBytes"] = rng.randrange(1000)
            if record["eventName"] == "REMOVE" and rng.random() < 0.5:
                record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
            if rng.random() < 0.3 and change["ApproximateCreationDateTime"] % 1000 == 0:
                change["ApproximateCreationDateTime"] //= 1000
                change["ApproximateCreationDateTimePrecision"] = "MILLISECOND"
            if rng.random() < 0.05:
                change.pop("OldImage", None)
        made += [record for record in records if rng.random() > 0.05]
    return made


def value(rng: random.Random, kind: str, depth: int = 0) -> dict[str, Any]:
    """Make an attribute's value."""
    if kind == "texts":
        return {"S": rng.choice(TEXTS)}
    binary = [base64.b64encode(rng.randbytes(size)).decode() for size in (0, 1, 5)]
    names = ODD_NAMES if kind == "odd" else PLAIN_NAMES
    tag = rng.choice(["S", "S", "N", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", *(["M", "L"] if depth < 2 else [])])
    return {
        tag: {
            "S": lambda: rng.choice(TEXTS),
            "N": lambda: rng.choice(NUMBERS),
            "B": lambda: rng.choice(binary),
            "BOOL": lambda: rng.random() < 0.5,
            "NULL": lambda: True,
            "SS": lambda: rng.sample(TEXTS, rng.randint(1, 3)),
            "NS": lambda: rng.sample(NUMBERS[2:], rng.randint(1, 3)),
            "BS": lambda: rng.sample(binary, rng.randint(1, 3)),
            "M": lambda: {
                name: value(rng, kind, depth + 1) for name in rng.sample(names, rng.randint(kind != "odd", 2))
            },
            "L": lambda: [value(rng, kind, depth + 1) for _ in range(rng.randint(0, 2))],
        }[tag]()
    }


def delivered(records: Iterable[Record], seed: int) -> Iterator[tuple[datetime, list[Record]]]:
    """Deliver the changes in objects of half an hour, by when its first one arrived: some twice, some late."""
    rng, objects = random.Random(seed), dict[datetime, list[tuple[datetime, Record]]]()
    for record in records:
        change = record["dynamodb"]
        unit = 1000 if change.get("ApproximateCreationDateTimePrecision") == "MILLISECOND" else 1_000_000
        made = datetime.fromtimestamp(change["ApproximateCreationDateTime"] // unit, UTC)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            late = made + timedelta(seconds=rng.choice([0, 60, 7_200]))
            arrived = max(made.replace(second=0), late.replace(minute=late.minute // 30 * 30, second=0))
            objects.setdefault(arrived.replace(minute=arrived.minute // 30 * 30), []).append((arrived, record))
    for each in objects.values():
        yield min(arrived for arrived, _ in each), [record for _, record in each]


def store(folder: Path, layout: Layout, records: Sequence[Record], seed: int = 1) -> None:
    """Write the objects of a log into a folder."""
    for number, (arrived, each) in enumerate(delivered(records, seed)):
        path = folder / f"{arrived:{layout.folder}}" / f"{TABLE}-1-{arrived:%Y-%m-%d-%H-%M-%S}-{uuid.UUID(int=number)}"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [dict(layout.write(record)) for record in each]
        if layout.stored == "parquet":
            pq.write_table(pa.Table.from_pylist(rows, schema=_CONVERTED), f"{path}.parquet")
        else:
            text = "".join(json.dumps(row, ensure_ascii=number % 2 == 0) + "\n" for row in rows)
            Path(f"{path}.json.gz").write_bytes(gzip.compress(text.encode()))


def register(session: Session, folder: Path, name: str, layout: Layout, records: Sequence[Record]) -> None:
    """Put a folder's objects into S3 and declare a Glue table over them."""
    s3, glue, location = session.client("s3"), session.client("glue"), f"s3://{BUCKET}/{name}/"
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        s3.put_object(Bucket=BUCKET, Key=f"{name}/{path.relative_to(folder)}", Body=path.read_bytes())
    table = layout.table(name, location, records)
    glue.create_table(DatabaseName=DATABASE, TableInput=table)
    if table["PartitionKeys"] and "projection.enabled" not in table["Parameters"]:
        stored = table["StorageDescriptor"]
        for place in {path.parent.relative_to(folder) for path in files}:
            glue.create_partition(
                DatabaseName=DATABASE,
                TableName=name,
                PartitionInput={
                    "Values": [part.rpartition("=")[2] for part in place.parts],
                    "StorageDescriptor": stored | {"Location": f"{location}{place}/"},
                },
            )


def _registered(**options: Any) -> Declare:
    """Declare a table as `workbench table create` does."""
    return lambda name, location, records: table_input(name, location, **options)


def _exact(declare: Declare) -> Declare:
    """Keep apart names that differ in case only: OpenX drops all but the last otherwise, in texts of objects too."""

    def table(name: str, location: str, records: Sequence[Record]) -> dict[str, Any]:
        made = declare(name, location, records)
        made["StorageDescriptor"]["SerdeInfo"]["Parameters"] |= {"case.insensitive": "false"} | {
            f"mapping.{each.lower()}": each
            for each in (
                "eventID",
                "eventName",
                "tableName",
                "userIdentity",
                "Keys",
                "NewImage",
                "OldImage",
                "SizeBytes",
                "ApproximateCreationDateTime",
                "ApproximateCreationDateTimePrecision",
            )
        }
        return made

    return table


def _declared(
    columns: Callable[[Sequence[Record]], Mapping[str, str]], *, hive: bool = False, partitions: Sequence[str] = ()
) -> Declare:
    """Declare a table as a crawler does, or by hand: other columns, partitions that are registered, Hive's SerDe."""

    def table(name: str, location: str, records: Sequence[Record]) -> dict[str, Any]:
        made = table_input(name, location, layout="raw", partitions="none")
        made["StorageDescriptor"]["Columns"] = [{"Name": each, "Type": kind} for each, kind in columns(records).items()]
        made["PartitionKeys"] = [{"Name": each, "Type": "string"} for each in partitions]
        serde = "org.apache.hive.hcatalog.data.JsonSerDe" if hive else "org.openx.data.jsonserde.JsonSerDe"
        made["StorageDescriptor"]["SerdeInfo"] = {"SerializationLibrary": serde, "Parameters": {}}
        return made

    return table


def crawled(values: Iterable[Any]) -> str:
    """Tell the Glue type a crawler gives a column with these JSON values."""
    seen = [each for each in values if each is not None]
    if seen and all(isinstance(each, dict) for each in seen):
        members: dict[str, list[Any]] = {}
        for each in seen:
            for name, inner in each.items():
                members.setdefault(name.lower(), []).append(inner)
        inner = ",".join(f"{name}:{crawled(each)}" for name, each in sorted(members.items()))
        return f"struct<{inner}>" if inner else "string"
    if seen and all(isinstance(each, list) for each in seen):
        return f"array<{crawled(inner for each in seen for inner in each)}>"
    kinds = {bool: "boolean", int: "bigint", float: "double"}
    return kinds.get(type(seen[0]) if seen else str, "string")


def _crawled(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    listed = list(rows)
    names = dict.fromkeys(name for row in listed for name in row)
    return {name.lower(): crawled(row.get(name) for row in listed) for name in names}


def _same(record: Record) -> Record:
    return record


def _envelope_columns(records: Sequence[Record]) -> dict[str, str]:
    columns = table_input("t", f"s3://{BUCKET}/t/")["StorageDescriptor"]["Columns"]
    return {column["Name"]: column["Type"] for column in columns}


_CONVERTED = pa.schema({name: pa.string() for name in SCHEMA.names} | {"size_bytes": pa.int64(), "by_ttl": pa.bool_()})

LAYOUTS = {
    "envelope JSON (OpenX)": Layout(canonical_change, _registered()),
    "envelope JSON (Hive)": Layout(
        canonical_change, _declared(_envelope_columns, hive=True, partitions=["year", "month", "day", "hour"])
    ),
    "envelope Parquet": Layout(
        canonical_change,
        lambda name, location, records: in_four_columns(table_input(name, location, stored="parquet"), 2024),
        stored="parquet",
    ),
    "raw, images as texts": Layout(_same, _registered(layout="raw", form="yyyy/MM/dd/HH"), folder="%Y/%m/%d/%H/"),
    "raw, one text": Layout(
        _same,
        _exact(
            _declared(
                lambda records: dict.fromkeys(
                    ("eventid", "eventname", "tablename", "useridentity", "dynamodb"), "string"
                )
            )
        ),
    ),
    "struct": Layout(
        _same,
        _declared(_crawled, partitions=["partition_0", "partition_1", "partition_2", "partition_3"]),
        records="plain",
        folder="%Y/%m/%d/%H/",
    ),
    "struct (Hive)": Layout(
        _same, _declared(_crawled, hive=True, partitions=["dt"]), records="plain", folder="dt=%Y-%m-%d/"
    ),
    "flat": Layout(
        flat,
        _declared(lambda records: _crawled(map(flat, records)), partitions=["dt"]),
        records="texts",
        folder="dt=%Y-%m-%d/",
    ),
}
