"""From writes to a table of moto's to answers: by way of its stream, the transform function, objects, Glue, and engines.

What the answers are held against is what Scans of the table found, at the end and at instants on the way, and what
each write left behind. See `tests.helpers.aws.pipeline` for what moto has not.
"""

from __future__ import annotations

import base64
import copy
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from boto3.dynamodb.types import TypeSerializer

from tests.helpers.aws.pipeline import ATTEMPTS, REGION, Capture, Firehose, Key, StreamRecord, key_of, plain, put_record
from tests.helpers.aws.pipeline import transform_function as function_of
from tests.helpers.aws.server import AwsServer
from tests.trino.test_trino import OnTrino
from workbench import Workbench
from workbench.aws.session import Session
from workbench.aws.table_definitions import table_input
from workbench.model.attribute_paths import column_name, column_path

pytestmark = [pytest.mark.slow, pytest.mark.trino, pytest.mark.timeout(1500)]
TABLE, BUCKET, DATABASE = "persons", "pipeline", "pipeline"
START = datetime(2026, 1, 1, tzinfo=UTC)
LAYOUTS = ("envelope", "raw", "parquet")
ENGINES = ("embedded", "athena", "trino")
POISON, REFUSED, LATER = b'{"eventName":"INSERT",', "Lambda.ProcessingFailedStatus", timedelta(hours=20)
SERIALIZER = TypeSerializer()
NUMBERS = ["12345678901234567890123456789012345678", "-0.00000000000000000000000000000000000001", "1.50", "0", "-7"]
Image = dict[str, Any]
ROOT = Path(__file__).parents[2]


@dataclass
class Story:
    """What was written, and what Scans found on the way."""

    records: list[dict[str, Any]] = field(default_factory=list)
    scans: dict[datetime, dict[Key, Image]] = field(default_factory=dict)
    left: dict[Key, list[tuple[str, Image | None]]] = field(default_factory=dict)
    """By key, what each change was and left behind."""
    expired: int = 0


@dataclass(frozen=True)
class Delivered:
    """A layout's Glue table, and what delivered into it."""

    layout: str
    table: str
    firehose: Firehose


@pytest.fixture(scope="module")
def aws(aws_of_trino: AwsServer) -> Iterator[Session]:
    """A session with moto; the bucket and the database are made."""
    session = Session("testing", "testing", region_name=REGION)
    session.endpoint = aws_of_trino.endpoint
    session.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    session.client("glue").create_database(DatabaseInput={"Name": DATABASE})
    return session


@pytest.fixture(scope="module")
def story(aws: Session) -> Story:
    """Write to a table for a day, in rounds: after each its stream is read, and after some a Scan made."""
    dynamodb, rng, told = aws.client("dynamodb"), random.Random(16), Story()
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    capture, now, there = Capture(aws, TABLE), START, dict[Key, Image]()
    keys = [{"pk": {"S": f"p-{number // 2}"}, "sk": {"N": str(number % 2)}} for number in range(24)]
    for turn in range(24):
        unit = "MILLISECOND" if turn < 10 else "MICROSECOND"  # a table's precision can be changed
        times: list[datetime] = []
        expired: set[Key] = set()
        for _ in range(6):
            key, step = rng.choice(keys), rng.choice([0, 0, 1, 1_000, 60_000_000])
            now += timedelta(microseconds=step // 1000 * 1000 if unit == "MILLISECOND" else step)
            name = key_of(key)
            old = there.get(name)
            new = write(dynamodb, rng, key, old)
            if new is None and rng.random() < 0.5:
                expired.add(name)
            if new == old:
                continue
            times.append(now)
            told.left.setdefault(name, []).append(("INSERT" if old is None else "MODIFY" if new else "REMOVE", new))
            there = {each: image for each, image in (there | {name: new}).items() if image}
        told.records += capture.read(times, unit=unit, expired=expired)
        if turn % 8 == 7:
            told.scans[now] = scan(dynamodb)
            assert told.scans[now] == there
        now += timedelta(minutes=rng.randint(1, 80))
    told.scans[now] = scan(dynamodb)
    told.expired = sum(record["userIdentity"] is not None for record in told.records)
    return told


def write(dynamodb: Any, rng: random.Random, key: Image, old: Image | None) -> Image | None:
    """Make one write to an item, and return what it leaves."""
    kind = rng.choice(
        ["put", "put", "update"] if old is None else ["put", "update", "update", "nested", "delete", "same"]
    )
    if kind == "delete":
        dynamodb.delete_item(TableName=TABLE, Key=key)
        return None
    if kind in ("put", "same"):
        item = key | image(rng) if kind == "put" else {name: SERIALIZER.serialize(each) for name, each in old.items()}
        dynamodb.put_item(TableName=TABLE, Item=item)
        return plain(item)
    names, values = {"#n": "n"}, {":n": {"N": rng.choice(NUMBERS)}, ":s": {"SS": [rng.choice("abc"), "é"]}}
    expression = "SET #n = :n ADD labels :s REMOVE photo"
    if kind == "nested" and "m" in old:
        names, values = {"#deep": "de.ep"}, {":v": {"L": [{"N": rng.choice(NUMBERS)}, {"NULL": True}]}}
        expression = "SET m.#deep = :v"
    answer = dynamodb.update_item(
        TableName=TABLE,
        Key=key,
        UpdateExpression=expression,
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=values,
        ReturnValues="ALL_NEW",
    )
    return plain(answer["Attributes"])


def image(rng: random.Random) -> Image:
    """Make some attributes, of every type."""
    every: Image = {
        "n": {"N": rng.choice(NUMBERS)},
        "text": {"S": rng.choice(["", "ö\n\u2028", '"\\', "😀"])},
        "yes": {"BOOL": rng.random() < 0.5},
        "none": {"NULL": True},
        "photo": {"B": rng.randbytes(rng.randint(1, 9))},
        "labels": {"SS": rng.sample(["a", "b", "", "é"], rng.randint(1, 3))},
        "numbers": {"NS": rng.sample(NUMBERS, rng.randint(1, 3))},
        "blobs": {"BS": [b"\x00", rng.randbytes(3)]},
        "m": {"M": {"de.ep": {"M": {"x": {"N": rng.choice(NUMBERS)}}}, "flag": {"BOOL": True}}},
        "list": {"L": [{"S": "a"}, {"M": {"y": {"B": b"\xff"}}}, {"L": []}]},
        "Text": {"S": "a name that differs in case"},
    }
    return {name: every[name] for name in rng.sample(list(every), rng.randint(1, len(every)))}


def scan(dynamodb: Any) -> dict[Key, Image]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
    return {
        key_of({name: item[name] for name in ("pk", "sk")}): plain(item) for page in pages for item in page["Items"]
    }


def arrivals(records: list[dict[str, Any]], rng: random.Random) -> list[StreamRecord]:
    """When the records of changes arrive: most at once, some late, after newer ones, and some twice."""
    found = []
    for record in records:
        made = _made(record)
        for _ in range(rng.choice([1, 1, 1, 1, 2, 3])):
            found.append(put_record(record, made + timedelta(seconds=rng.choice([1, 1, 1, 2, 400, 9_000]))))
    return found


def _made(record: Mapping[str, Any]) -> datetime:
    change = record["dynamodb"]
    unit = 1_000_000 if change["ApproximateCreationDateTimePrecision"] == "MICROSECOND" else 1000
    return datetime.fromtimestamp(change["ApproximateCreationDateTime"] / unit, UTC)


@pytest.fixture(scope="module", params=LAYOUTS)
def delivered(request: pytest.FixtureRequest, aws: Session, story: Story) -> Delivered:
    """Let Firehose deliver the stream, with faults on its way, and make a Glue table over what it wrote."""
    layout: str = request.param
    table = table_input(
        f"persons_{layout}",
        f"s3://{BUCKET}/data/{layout}/",
        layout="raw" if layout == "raw" else "envelope",
        stored="parquet" if layout == "parquet" else "json",
        first_year=2026,
    )
    aws.client("glue").create_table(DatabaseName=DATABASE, TableInput=table)
    firehose = Firehose(
        aws,
        BUCKET,
        layout,
        function=None if layout == "raw" else function_of("envelope", ROOT),
        columns={each["Name"]: each["Type"] for each in table["StorageDescriptor"]["Columns"]}
        if layout == "parquet"
        else None,
        unanswered={1: 1, 3: 3, 6: ATTEMPTS},
        repeated={2, 5},
    )
    rng = random.Random(61)
    stream = arrivals(story.records, rng)
    middle = stream[len(stream) // 2]
    stream.append(StreamRecord(middle.arrived, POISON, middle.shard))
    firehose.deliver(stream)
    failed = firehose.failures()
    whole = [each for each in failed if each["errorCode"] != REFUSED]
    if layout == "raw":
        assert not failed
    else:  # what failed with its whole batch is in order, and is put into the stream once more
        assert [base64.b64decode(each["rawData"]) for each in failed if each["errorCode"] == REFUSED] == [POISON]
        assert whole
        assert {each["attemptsMade"] for each in failed} == {1, ATTEMPTS}
        firehose.deliver(
            put_record(
                json.loads(base64.b64decode(each["rawData"])),
                datetime.fromtimestamp(each["arrivalTimestamp"] / 1000, UTC) + LATER,
            )
            for each in whole
        )
    return Delivered(layout, table["Name"], firehose)


@pytest.fixture(params=ENGINES)
def wb(request: pytest.FixtureRequest, aws: Session, delivered: Delivered, tmp_path: Path) -> Iterator[Workbench]:
    """A workbench over what was delivered: over objects fetched from the bucket, or by Athena's path."""
    if request.param == "embedded":
        s3 = aws.client("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for each in page["Contents"]:
                if f"/{delivered.layout}/" in each["Key"]:
                    path = tmp_path / each["Key"].replace(f"/{delivered.layout}/", f"/{TABLE}/")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read())
        yield Workbench(tmp_path / "data", endpoint=aws.endpoint, region=REGION)
        return
    wb = Workbench(
        engine="athena",
        endpoint=aws.endpoint,
        region=REGION,
        database=DATABASE,
        output=f"s3://{BUCKET}/results/",
        table_names={TABLE: delivered.table},
    )
    if request.param == "trino":
        wb._engine._queries = OnTrino(request.getfixturevalue("trino"), wb.session)
    yield wb


def test_answers_are_what_scans_and_writes_say(wb: Workbench, story: Story, delivered: Delivered):
    for at, there in story.scans.items():
        found = {(("pk", row["pk"]), ("sk", str(row["sk"]))): row for row in rows(wb.latest_state(TABLE, as_of=at).df)}
        assert found == {key: dict(columns(image)) for key, image in there.items()}, at
    last = rows(wb.latest_state(TABLE).df)
    assert {(row["pk"], row["sk"]) for row in last} == {(key[0][1], int(key[1][1])) for key in there}
    middle = list(story.scans)[1]
    as_of = f"timestamp '{middle:%Y-%m-%d %H:%M:%S.%f}'"
    count = wb.query(f"select count(*) as n from {TABLE} for timestamp as of {as_of}").df
    assert count["n"].tolist() == [len(story.scans[middle])]

    changes = wb.changes(TABLE).df
    assert len(changes) == len(story.records)
    assert int(changes["by_ttl"].sum()) == story.expired > 0
    for key, left in story.left.items():
        own = changes[(changes["pk"] == key[0][1]) & (changes["sk"] == int(key[1][1]))]
        assert own["event_name"].tolist() == [event for event, _ in left], key
        for side, images in (
            ("new.", [image for _, image in left]),
            ("old.", [None, *(image for _, image in left[:-1])]),
        ):
            there = own.filter(regex=f"^{side}").rename(columns=lambda name: name[4:])
            assert rows(there) == [dict(columns(image or {})) for image in images], key
    key, left = max(story.left.items(), key=lambda each: len(each[1]))
    history = wb.item_history(TABLE, dict(key)).df
    assert list(replayed(history)) == [
        (event, {name: value for name, value in (image or {}).items() if name not in dict(key)})
        for event, image in left
    ]

    counts = wb.change_frequency(TABLE, every="1d").df
    made = Counter((_made(record).date(), record["eventName"]) for record in story.records)
    told = {
        (row["bucket"].date(), event): row[name]
        for row in rows(counts)
        for event, name in (("INSERT", "inserts"), ("MODIFY", "modifies"), ("REMOVE", "removes"))
    }
    assert told == dict(made)
    assert counts["changes"].sum() == len(story.records)
    assert counts["ttl_removes"].sum() == story.expired

    quality = wb.data_quality(TABLE).df.set_index("finding")["count"]
    firehose, poisoned = delivered.firehose, delivered.layout == "raw"
    assert quality["unreadable lines"] == poisoned
    assert quality["duplicates"] == firehose.written - poisoned - len(story.records) > len(story.records) / 4
    assert quality["reordered changes"] > 5
    for finding in ("missing changes", "unseen beginnings", "ambiguous ties", "changes without an old image"):
        assert quality[finding] == 0, finding
    if wb.settings.engine == "athena":
        assert wb.reconcile(TABLE).agrees


def rows(df: pd.DataFrame) -> list[Image]:
    """Rows as what is there: no absent attributes, and floats as the decimals they are written as."""
    names = [name for name in df.columns if not name.startswith("_")]
    cells = (zip(names, row, strict=True) for row in df[names].astype(object).itertuples(index=False, name=None))
    return [
        {
            name: Decimal(repr(cell)) if isinstance(cell, float) else cell
            for name, cell in row
            if cell is not pd.NA and cell == cell  # NaN, in a column of floats, is an absent attribute
        }
        for row in cells
    ]


def columns(image: Image, above: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The columns of an item: one an attribute, those of maps each their own."""
    for name, value in image.items():
        if isinstance(value, dict) and value:
            yield from columns(value, (*above, name))
        else:
            yield column_name((*above, name)), value


def replayed(history: pd.DataFrame) -> Iterator[tuple[str, Image]]:
    """What each change of a history was and left, by applying what it did to what there was."""
    now: Image = {}
    for _, steps in history.groupby("event_id", sort=False):
        for path, change, before, after in steps[["path", "change", "before", "after"]].itertuples(index=False):
            named, places = re.fullmatch(r"(.*?)((?:\[\d+\])*)", path).groups()
            *above, name = [*column_path(named), *map(int, re.findall(r"\d+", places))]
            there: Any = now
            for each in above:
                there = there.setdefault(each, {}) if isinstance(there, dict) else there[each]
            if change == "removed":
                assert there.pop(name) == before
            elif change.startswith("members"):
                told = [set() if each is pd.NA else each for each in (before, after)]
                there[name] = there[name] - told[0] | told[1]
            else:
                there[name] = after
        now = without_empty_maps(now)
        yield steps["event_name"].iloc[0], copy.deepcopy(now)


def without_empty_maps(value: Any) -> Any:
    """Leave out maps whose last member went: there are none that were empty at first."""
    if not isinstance(value, dict):
        return value
    inner = {name: without_empty_maps(each) for name, each in value.items()}
    return {name: each for name, each in inner.items() if each != {}}
