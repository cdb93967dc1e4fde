"""Tables in DynamoDB: every write arrives or is told of, scans find every item, and races are no differences."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pandas as pd
import pyarrow as pa
import pytest
from boto3.dynamodb.types import TypeSerializer

from tests.helpers.aws.clients import overhear
from workbench.aws import dynamodb, export_jobs, pacing
from workbench.aws.export_jobs import find_exports
from workbench.aws.session import Session, open_session
from workbench.config import load_settings
from workbench.engines import Answer
from workbench.engines.exported import read_items
from workbench.errors import ExportError, ParameterError, StoreError
from workbench.log import export_manifests
from workbench.log.exports import choose
from workbench.questions import reconciliation
from workbench.questions.writers import write as write_frame
from workbench.sandbox import ItemStore, dynamodb_writer, export_table

REGION, LAG = "eu-central-1", pd.Timedelta("15min")


@pytest.fixture
def session(aws_server: str, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session in an account that is empty."""
    import requests

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(pacing, "LONGEST_PAUSE", 0.01)
    requests.post(f"{aws_server}/moto-api/reset", timeout=10)
    return open_session(load_settings(region=REGION, endpoint=aws_server))


def table(session: Session, *items: dict[str, Any], name: str = "things", key: dict[str, str] | None = None) -> str:
    client = session.client("dynamodb")
    dynamodb_writer._create(client, name, key or {"pk": "S"})
    for item in items:
        client.put_item(TableName=name, Item={key: TypeSerializer().serialize(value) for key, value in item.items()})
    return name


def items(session: Session, name: str) -> list[dict[str, Any]]:
    return [
        image
        for page in session.client("dynamodb").get_paginator("scan").paginate(TableName=name)
        for image in page["Items"]
    ]


def intercept(session: Session, operation: str, answer: Any, service: str = "dynamodb") -> None:
    """Have an operation answered by `answer(**parameters)`: a response, an error code, or None to let it through."""

    def before(params: dict[str, Any], **_: Any) -> Any:
        body = params["body"]
        told = answer(**json.loads(body)) if isinstance(body, bytes | str) and body else answer()
        if told is None:
            return None
        if isinstance(told, str):
            return SimpleNamespace(status_code=400), {"Error": {"Code": told, "Message": "injected"}}
        return SimpleNamespace(status_code=200), told

    overhear(session, f"before-call.{service}.{operation}", before)


# writing


def test_a_dataset_is_written_change_by_change(session):
    told = dynamodb_writer.write(
        session, "persons", table="people", items=30, changes=300, seed=1, create=True, progress=False
    )
    assert (told.table, told.items, told.changes, told.retried) == ("people", 30, 300, 0)
    images = items(session, "people")
    assert 20 < len(images) <= 30
    assert max(int(image["visits"]["N"]) for image in images) > 5
    ttl = session.client("dynamodb").describe_time_to_live(TableName="people")["TimeToLiveDescription"]
    assert ttl["AttributeName"] == "expires_at"


def test_the_same_seed_leads_to_the_same_items(session):
    span = {"start": datetime(2026, 1, 5, tzinfo=UTC), "end": datetime(2026, 1, 6, tzinfo=UTC)}
    for name in ("one", "two"):
        dynamodb_writer.write(
            session, "heartrate", table=f"the-{name}", changes=120, seed=3, create=True, progress=False, **span
        )
    one, two = ({json.dumps(item, sort_keys=True) for item in items(session, f"the-{name}")} for name in ("one", "two"))
    assert one == two
    assert len(one) > 50


def test_nothing_is_created_unless_asked(session):
    with pytest.raises(StoreError, match="no table 'persons' in DynamoDB in eu-central-1"):
        dynamodb_writer.write(session, "persons", changes=10, progress=False)
    assert session.client("dynamodb").list_tables()["TableNames"] == []


def test_a_table_with_another_key_is_left_alone(session):
    table(session, name="other", key={"id": "S"})
    with pytest.raises(StoreError, match=r"'other' has the key \{'id': 'S'\}"):
        dynamodb_writer.write(session, "persons", table="other", changes=10, progress=False, create=True)
    assert items(session, "other") == []


def test_each_write_of_an_item_is_made_not_only_the_last_one(session):
    name, batches = table(session), []
    intercept(session, "BatchWriteItem", lambda RequestItems: batches.append(RequestItems[name]))
    store = dynamodb_writer.LiveStore(session, {name: ("pk",)})
    with store.bulk():
        for number in range(3):
            store.put_item(name, {"pk": "a", "v": number})
        store.put_item(name, {"pk": "b"})
        store.delete_item(name, {"pk": "a"})
    assert store.written == 5
    assert [len(batch) for batch in batches] == [1, 1, 2, 1]
    assert items(session, name) == [{"pk": {"S": "b"}}]


def test_what_dynamodb_does_not_take_at_once_is_written_again_until_it_does(session):
    name, asked = table(session), Counter()

    def take_some(RequestItems: Any) -> Any:  # of each batch only what it names first, and every fourth time nothing
        asked["calls"] += 1
        if asked["calls"] % 4 == 0:
            return (
                "ProvisionedThroughputExceededException" if asked["calls"] % 8 else {"UnprocessedItems": RequestItems}
            )
        first, *rest = RequestItems[name]
        item = first.get("PutRequest", {}).get("Item")
        raw = boto3.client("dynamodb", region_name=REGION, endpoint_url=session.endpoint)
        raw.put_item(TableName=name, Item=item)
        return {"UnprocessedItems": {name: rest} if rest else {}}

    intercept(session, "BatchWriteItem", take_some)
    store = dynamodb_writer.LiveStore(session, {name: ("pk",)})
    with store.bulk():
        for number in range(60):
            store.put_item(name, {"pk": f"{number}", "v": b"\x00\xff"})
    assert store.written == 60
    assert store.retried == 57  # all but the first of each of three batches
    assert {item["pk"]["S"] for item in items(session, name)} == {f"{number}" for number in range(60)}


class Clock:
    """A clock that goes on by what is slept, and a millisecond each time somebody looks."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        self.now += 0.001
        return self.now

    perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pacing, "time", made)
    monkeypatch.setattr(dynamodb_writer, "time", made)
    return made


def test_when_dynamodb_never_takes_a_write_it_ends_with_what_was_written(session, clock):
    name, calls = table(session), []

    def never_after_the_first(RequestItems: Any) -> Any:
        calls.append(len(RequestItems[name]))
        return None if len(calls) == 1 else {"UnprocessedItems": RequestItems}

    intercept(session, "BatchWriteItem", never_after_the_first)
    store = dynamodb_writer.LiveStore(session, {name: ("pk",)}, patience=0.2)
    for number in range(35):
        store.put_item(name, {"pk": f"{number}"})
    with pytest.raises(StoreError, match=r"none of 10 writes; 25 were made before\. Raise the table's write capacity"):
        store.flush()
    assert len(items(session, name)) == store.written == 25
    assert len(calls) > 3


def test_writes_keep_to_a_rate(session, clock):
    name = table(session)
    store, began = dynamodb_writer.LiveStore(session, {name: ("pk",)}, rate=50), clock.now
    with store.bulk():
        for number in range(75):
            store.put_item(name, {"pk": f"{number}"})
    assert 0.95 <= clock.now - began < 1.5  # the last 25 when the 50 before were due
    assert len(items(session, name)) == 75


def test_a_refused_write_is_one_line_that_says_why(session):
    store = dynamodb_writer.LiveStore(session, {"nowhere": ("pk",)})
    store.put_item("nowhere", {"pk": "a"})
    with pytest.raises(StoreError, match=r"table 'nowhere'.*ResourceNotFound.*0 writes were made before it"):
        store.flush()


# the Lambda


def test_the_lambda_writes_so_many_items_and_later_their_next_versions(session, monkeypatch):
    table(session, name="people")
    monkeypatch.setenv("AWS_ENDPOINT_URL", session.endpoint)
    monkeypatch.setenv("TABLE_PERSONS", "people")
    monkeypatch.setattr(dynamodb_writer, "_POOL", 20)
    first = dynamodb_writer.handler({"batchSize": 20}, None)
    assert first == {
        "dataset": "persons",
        "table": "people",
        "inserted": 20,
        "modified": 0,
        "written": 20,
        "retried": 0,
    }
    again = dynamodb_writer.handler({"batchSize": 7}, None)
    assert (again["inserted"], again["modified"]) == (0, 7)
    assert Counter(item["visits"]["N"] for item in items(session, "people")) == {"0": 13, "1": 7}
    assert dynamodb_writer.handler(None, None)["written"] == 5


def test_the_lambda_writes_heart_rates_too(session, monkeypatch):
    table(session, name="rates", key={"sensor_id": "S", "report_time": "N"})
    monkeypatch.setenv("AWS_ENDPOINT_URL", session.endpoint)
    told = dynamodb_writer.handler({"batchSize": 30, "dataset": "heartrate", "table": "rates"}, None)
    assert told["written"] == len(items(session, "rates")) == 30


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"batchSize": 0}, "batchSize=0"),
        ({"batchSize": "5"}, "batchSize='5'"),
        ({"batchSize": 1_001}, "1 to 1,000"),
        ({"dataset": "person"}, "Did you mean 'persons'"),
        ({"dataset": "heartrate"}, "TABLE_HEARTRATE"),
    ],
)
def test_the_lambda_refuses_what_it_cannot_do(event, told, monkeypatch):
    monkeypatch.setenv("TABLE_PERSONS", "people")
    with pytest.raises(ParameterError, match=told):
        dynamodb_writer.handler(event, None)


@pytest.mark.process
def test_the_lambda_needs_boto3_faker_and_the_standard_library_only(session, tmp_path):
    pytest.importorskip("aws_cdk", reason="make .venv/.infra installs it")
    from infra_cdk.bundling import modules, write

    write(tmp_path, modules("workbench.sandbox.dynamodb_writer"))
    table(session, name="people")
    code = (
        "import sys, importlib.abc\n"
        "sys.path += sys.argv[1:]\n"  # not by site: it would put the tree this package is installed from there
        "class Barred(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name.split('.')[0] in ('pandas', 'numpy', 'pyarrow', 'duckdb', 'orjson', 'tqdm', 'pydantic',\n"
        "                                  'awswrangler', 'sqlglot'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Barred())\n"
        "from workbench.sandbox.dynamodb_writer import handler\n"
        "print(handler({'batchSize': 5, 'table': 'people'}, None)['written'])"
    )
    env = {
        "AWS_ENDPOINT_URL": str(session.endpoint),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "PATH": "",
    }
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, sysconfig.get_path("purelib")],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "5\n", done.stderr


# scanning and reading


def test_a_scan_reads_every_item_once_whatever_the_segments(session):
    name = table(session, *({"pk": f"{n}", "b": b"\x00\xff", "s": {1, 2}, "m": {"l": [b"x"]}} for n in range(57)))
    for segments in (1, 3, 8):
        found = dynamodb.scan(session, name, segments=segments)
        images = list(found)
        assert sorted(int(image["pk"]["S"]) for image in images) == list(range(57))
        assert images[0]["b"] == {"B": "AP8="}
        assert images[0]["m"] == {"M": {"l": {"L": [{"B": "eA=="}]}}}
        assert found.items == 57
        assert found.capacity > 0


def test_a_scan_goes_on_from_page_to_page_and_reads_consistently(session):
    name, asked = table(session, *({"pk": f"{n}"} for n in range(40))), []

    def in_pages(
        Segment: int, TotalSegments: int, ConsistentRead: bool, ExclusiveStartKey: Any = None, **_: Any
    ) -> Any:
        asked.append(ConsistentRead)
        at = int(ExclusiveStartKey["pk"]["S"]) + 1 if ExclusiveStartKey else Segment
        mine = [n for n in range(at, 40) if n % TotalSegments == Segment][:4]
        more = {"LastEvaluatedKey": {"pk": {"S": str(mine[-1])}}} if len(mine) == 4 else {}
        page = [{"pk": {"S": str(n)}} for n in mine]
        return {"Items": page, "Count": len(page), "ConsumedCapacity": {"CapacityUnits": 2.0}, **more}

    intercept(session, "Scan", in_pages)
    found = dynamodb.scan(session, name, segments=3)
    assert sorted(int(image["pk"]["S"]) for image in found) == list(range(40))
    assert all(asked)
    assert found.pages == len(asked) == 12
    assert found.capacity == 24.0


def test_a_scan_keeps_to_a_rate_of_capacity_units_in_small_pages(session, clock):
    limits = []

    def page(Limit: int, ExclusiveStartKey: Any = None, **_: Any) -> Any:
        limits.append(Limit)
        at = int(ExclusiveStartKey["pk"]["S"]) if ExclusiveStartKey else 0
        more = {} if at + Limit >= 100 else {"LastEvaluatedKey": {"pk": {"S": str(at + Limit)}}}
        return {"Items": [], "Count": Limit, "ConsumedCapacity": {"CapacityUnits": Limit * 2.0}, **more}

    intercept(session, "Scan", page)
    began, found = clock.now, dynamodb.scan(session, "things", segments=1, rate=100)
    assert list(found) == []
    assert limits == [1, 50, 50]  # an item may cost 100 units, until it is known that these cost two
    limits.clear()
    found = dynamodb.scan(session, "things", segments=1, rate=60)
    list(found)
    assert limits == [1, 30, 30, 30, 30]
    assert 3.9 <= clock.now - began < 6  # 102 and 182 units before the last page may begin


def test_no_page_of_a_scan_costs_more_than_a_seconds_share_or_one_item(session, clock):
    spent = []

    def page(Limit: int, ExclusiveStartKey: Any = None, **_: Any) -> Any:  # items of 400 KB
        spent.append(Limit * 100.0)
        more = {"LastEvaluatedKey": {"pk": {"S": "x"}}} if len(spent) < 2 else {}
        return {"Items": [], "Count": Limit, "ConsumedCapacity": {"CapacityUnits": Limit * 100.0}, **more}

    intercept(session, "Scan", page)
    list(dynamodb.scan(session, "things", segments=1, rate=450))
    assert spent == [400.0, 400.0]


def test_batches_are_no_larger_than_a_request_may_be_as_it_is_sent(session):
    name, sizes = table(session), []

    def take(RequestItems: Any) -> Any:
        sizes.append(len(json.dumps(RequestItems)))
        return {"UnprocessedItems": {}}

    intercept(session, "BatchWriteItem", take)
    store = dynamodb_writer.LiveStore(session, {name: ("pk",)})
    with store.bulk():
        for number in range(30):
            store.put_item(name, {"pk": f"{number}", "v": "\u00e9" * 190_000})  # of 380 KB, and 1.1 MB in a request
    assert store.written == 30
    assert max(sizes) < 16_000_000
    assert len(sizes) == 3


@pytest.mark.parametrize(
    "ask",
    [
        lambda session: list(dynamodb.scan(session, "nothing")),
        lambda session: dynamodb.read(session, "nothing", ['{"pk":{"S":"a"}}']),
        lambda session: dynamodb.key_of(session, "nothing"),
        lambda session: write_one(session, "nothing"),
    ],
)
def test_a_table_that_is_not_there_is_no_missing_permission(session, ask):
    with pytest.raises(StoreError, match="there is no table 'nothing' in DynamoDB") as caught:
        ask(session)
    assert "permission" not in str(caught.value)


def write_one(session, name: str) -> None:
    store = dynamodb_writer.LiveStore(session, {name: ("pk",)})
    store.put_item(name, {"pk": "a"})
    store.flush()


def test_a_scan_that_is_left_early_or_refused_ends(session):
    name = table(session, *({"pk": f"{n}"} for n in range(20)))
    for _ in dynamodb.scan(session, name):
        break
    intercept(session, "Scan", lambda **_: "AccessDeniedException")
    with pytest.raises(StoreError, match=r"table 'things'.*AccessDenied.*the permission is dynamodb:Scan"):
        list(dynamodb.scan(session, name))


def test_items_are_read_by_key_in_batches_and_again_where_dynamodb_did_not_read_them(session):
    name = table(session, *({"pk": f"{n}", "v": n} for n in range(230)))
    calls = []

    def half(RequestItems: Any) -> Any:
        calls.append(len(keys := RequestItems[name]["Keys"]))
        assert RequestItems[name]["ConsistentRead"]
        if len(calls) == 2:
            return "ProvisionedThroughputExceededException"
        done, rest = keys[: len(keys) // 2 or 1], keys[len(keys) // 2 or 1 :]
        images = [key | {"v": {"N": key["pk"]["S"]}} for key in done if int(key["pk"]["S"]) < 230]
        left = {name: RequestItems[name] | {"Keys": rest}} if rest else {}
        return {"Responses": {name: images}, "UnprocessedKeys": left}

    intercept(session, "BatchGetItem", half)
    found = dynamodb.read(session, name, [f'{{"pk":{{"S":"{n}"}}}}' for n in range(240)])
    assert len(found) == 230
    assert found['{"pk":{"S":"7"}}'] == '{"pk":{"S":"7"},"v":{"N":"7"}}'
    assert max(calls) == 100


# reconciling


class Log:
    """A log that is asked: items by key, each an image or None with the time of its last change."""

    def __init__(self, **items: tuple[Any, datetime]) -> None:
        self.items, self.asked, self.before = items, [], lambda: None

    def ask(self, keys: Any) -> Answer:
        self.asked.append(list(keys))
        rows = [
            {"keys": canonical(pk), "image": image and json.dumps(image_of(pk, image)), "ts": at.replace(tzinfo=None)}
            for pk, (image, at) in self.items.items()
            if not keys or canonical(pk) in keys
        ]
        self.before()
        schema = pa.schema([("keys", pa.string()), ("image", pa.string()), ("ts", pa.timestamp("us"))])
        return Answer(pa.Table.from_pylist(rows, schema), "select", 0.1, 1, 1, ())


def canonical(pk: str) -> str:
    return f'{{"pk":{{"S":"{pk}"}}}}'


def image_of(pk: str, v: Any) -> dict[str, Any]:
    return {"v": {"N": f"{v}.0"}, "pk": {"S": pk}}  # not canonical: neither the order of names nor the number


def put(session: Session, **items: Any) -> None:
    client = session.client("dynamodb")
    for pk, v in items.items():
        client.put_item(TableName="things", Item={"pk": {"S": pk}, "v": {"N": str(v)}})


def names(keys: Any) -> set[str]:
    return {json.loads(key)["pk"]["S"] for key in keys}


def differing(found: reconciliation.Live) -> set[str]:
    return names(reconciliation._differing(found.logged, found.actual)) - names(found.in_flight)


# NOW is within the lag of any clock: no test takes longer than until then.
OLD, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def test_a_log_and_a_table_that_agree_are_asked_once(session):
    table(session)
    put(session, a=1, b=2)
    log = Log(a=(1, OLD), b=(2, OLD), gone=(None, OLD))
    scan, notes = reconciliation.scanned(session, "things", ["pk"])
    found = reconciliation.against_live(session, "things", scan, log.ask, LAG, wait=True)
    assert differing(found) == found.in_flight == set()
    assert log.asked == [[]]
    assert notes[0].startswith("scanned 2 items in ")
    assert "read capacity units" in notes[0]


def test_what_the_log_does_not_tell_differs_and_what_is_busy_is_in_flight(session):
    table(session)
    put(session, same=1, lost=2, unknown=1, busy=2)
    log = Log(same=(1, OLD), lost=(1, OLD), busy=(1, NOW), extra=(1, OLD), removed=(None, OLD))
    scan, _ = reconciliation.scanned(session, "things", ["pk"])
    found = reconciliation.against_live(session, "things", scan, log.ask, LAG)
    assert differing(found) == {"lost", "unknown", "extra"}
    assert names(found.in_flight) == {"busy"}
    assert "what was changed in the last 15min may be on its way" in found.notes[0].replace("15 min", "15min")


def test_what_changes_between_scan_and_log_is_no_difference_once_the_log_tells_it(session):
    table(session)
    put(session, a=1, b=1, c=1)
    scan, _ = reconciliation.scanned(session, "things", ["pk"])
    put(session, a=2, new=1)
    session.client("dynamodb").delete_item(TableName="things", Key={"pk": {"S": "b"}})
    log = Log(a=(2, NOW), b=(None, NOW), c=(1, OLD), new=(1, NOW))
    found = reconciliation.against_live(session, "things", scan, log.ask, LAG)
    assert differing(found) == found.in_flight == set()


def test_an_item_that_changes_while_it_is_looked_at_is_in_flight(session):
    table(session)
    put(session, a=1, b=1, removed=1)
    scan, _ = reconciliation.scanned(session, "things", ["pk"])
    put(session, a=2)
    session.client("dynamodb").delete_item(TableName="things", Key={"pk": {"S": "removed"}})
    log = Log(a=(1, OLD), b=(2, OLD), removed=(1, OLD))
    found = reconciliation.against_live(session, "things", scan, log.ask, LAG)
    # What the scan saw is what the log has: these are not even looked at again.
    assert differing(found) == {"b"}
    put(session, b=3)
    found = reconciliation.against_live(session, "things", scan, log.ask, LAG)
    assert names(found.in_flight) == {"b"}


def test_waiting_for_the_lag_tells_what_is_lost_from_what_was_on_its_way(session):
    table(session)
    put(session, lost=2, late=2, busy=2, same=1)
    log = Log(lost=(1, OLD), late=(1, OLD), busy=(1, OLD), same=(1, OLD))
    scan, _ = reconciliation.scanned(session, "things", ["pk"])

    def meanwhile() -> None:
        if len(log.asked) == 1:
            log.items |= {"late": (2, NOW), "same": (9, NOW)}  # and `same` goes on, which nobody asks about again
        else:
            put(session, busy=3)

    log.before = meanwhile
    found = reconciliation.against_live(session, "things", scan, log.ask, pd.Timedelta("1s"), wait=True)
    assert differing(found) == {"lost"}
    assert names(found.in_flight) == {"busy"}
    assert [names(keys) for keys in log.asked] == [set(), {"lost", "late", "busy"}]
    assert found.notes == []


def test_of_many_items_that_differ_all_are_asked_about_again_and_only_those_judged(session, monkeypatch):
    monkeypatch.setattr(reconciliation, "_NAMED", 0)
    table(session)
    put(session, lost=2, same=1)
    log = Log(lost=(1, OLD), same=(1, OLD))
    log.before = lambda: log.items.update(same=(9, NOW))
    scan, _ = reconciliation.scanned(session, "things", ["pk"])
    found = reconciliation.against_live(session, "things", scan, log.ask, pd.Timedelta("1s"), wait=True)
    assert log.asked == [[], []]
    assert differing(found) == {"lost"}


def test_a_table_with_another_key_than_its_log_is_told(session):
    table(session, key={"id": "S"})
    with pytest.raises(ParameterError, match="the log of 'things' has the key pk, the table in DynamoDB id"):
        reconciliation.scanned(session, "things", ["pk"])


# exports


def test_an_export_is_asked_for_and_its_status_told(session):
    table(session, {"pk": "a"}, {"pk": "b"})
    session.client("s3").create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": REGION})
    with pytest.raises(StoreError, match=r"point-in-time recovery is off. Do `aws dynamodb update-continuous-backups"):
        export_jobs.start_export(session, "things", "s3://exports/all")
    session.client("dynamodb").update_continuous_backups(
        TableName="things", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    arn = export_jobs.start_export(session, "things", "s3://exports/all")
    for _ in range(50):
        if (df := export_jobs.export_status(session, "things"))["status"].tolist() == ["COMPLETED"]:
            break
        time.sleep(0.1)
    assert df.loc[0, ["export", "table", "kind", "items"]].tolist() == [arn, "things", "full", 2]
    assert export_jobs.export_status(session, "things", arn)["status"].tolist() == ["COMPLETED"]
    assert df.loc[0, "location"].startswith("s3://exports/all/AWSDynamoDB/")
    assert str(df["ended"].dtype) == "datetime64[us, UTC]"


def test_what_dynamodb_tells_of_exports_is_read(session):
    at, arn = datetime(2026, 1, 2, tzinfo=UTC), "arn:aws:dynamodb:eu-central-1:123456789012:table/things/export/0176-ab"
    told = {
        "ExportArn": arn,
        "ExportStatus": "FAILED",
        "StartTime": at,
        "FailureCode": "S3AccessDenied",
        "FailureMessage": "no",
        "S3Bucket": "exports",
        "ExportType": "INCREMENTAL_EXPORT",
        "IncrementalExportSpecification": {"ExportFromTime": OLD, "ExportToTime": at},
    }
    asked = []
    table(session)
    intercept(session, "ListExports", lambda **_: {"ExportSummaries": [{"ExportArn": arn}]})
    intercept(session, "DescribeExport", lambda **_: {"ExportDescription": told})
    intercept(session, "ExportTableToPointInTime", lambda **given: asked.append(given) or {"ExportDescription": told})
    (row,) = export_jobs.export_status(session, "things").to_dict("records")
    assert (row["kind"], row["status"], row["problem"]) == ("incremental", "FAILED", "S3AccessDenied no")
    assert (row["since"], row["time"], row["location"]) == (OLD, at, "s3://exports/AWSDynamoDB/0176-ab/")
    assert export_jobs.start_export(session, "things", "s3://exports", since=OLD, at=at) == arn
    assert asked[0]["IncrementalExportSpecification"]["ExportFromTime"] == OLD.timestamp()
    assert "S3Prefix" not in asked[0]


def test_what_exporting_and_following_need_is_named_whole(session):
    table(session)
    for operation in ("ExportTableToPointInTime", "ListExports", "DescribeExport"):
        intercept(session, operation, lambda **_: "AccessDeniedException")
    with pytest.raises(StoreError) as refused:
        export_jobs.start_export(session, "things", "s3://lake/exports/")
    for needed in (
        r"dynamodb:ExportTableToPointInTime on arn:aws:dynamodb:\S+:table/things;",
        r"s3:AbortMultipartUpload, s3:PutObject and s3:PutObjectAcl on s3://lake/exports/\*;",
        r"kms:Decrypt and kms:GenerateDataKey",
    ):
        assert re.search(needed, str(refused.value))
    for export in (None, "arn:aws:dynamodb:eu-central-1:123456789012:table/things/export/0176-ab"):
        with pytest.raises(StoreError) as refused:
            export_jobs.export_status(session, "things", export)
        assert "dynamodb:ListExports on *" in str(refused.value)
        assert re.search(r"dynamodb:DescribeExport on arn:aws:dynamodb:\S+:table/things/export/\*$", str(refused.value))


def test_a_table_without_exports_has_a_status_with_no_row(session):
    table(session)
    df = export_jobs.export_status(session, "things")
    assert df.empty
    assert str(df["items"].dtype) == "Int64"


@pytest.fixture
def bucket(session, tmp_path) -> str:
    """An export of three items in S3, under a prefix with characters that are patterns elsewhere."""
    with ItemStore(tmp_path / "store.sqlite") as store:
        store.create_table("things", {"pk": "S"})
        for number in range(3):
            store.put_item("things", {"pk": f"{number}", "v": number})
        export_table(store, "things", tmp_path / "out")
    client = session.client("s3")
    client.create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": REGION})
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            key = f"all [1]/{path.relative_to(tmp_path / 'out').as_posix()}"
            client.put_object(Bucket="exports", Key=key, Body=path.read_bytes())
    return "s3://exports/all [1]/"


def test_exports_in_s3_are_found_by_their_manifests_and_read_once_chosen(session, bucket):
    fetched = []
    overhear(session, "provide-client-params.s3.GetObject", lambda params, **_: fetched.append(params["Key"]))
    (found,) = find_exports(bucket, session)
    assert found.items == 3
    assert found.problems == ()
    assert not any("/data/" in key for key in fetched)
    known = choose([found], "things")
    assert known.problems == ()
    assert len(dict(read_items(known, ["pk"]))) == 3
    count = len(fetched)
    assert choose(find_exports(bucket, session), "things") == known
    assert len(fetched) == count  # nothing is brought twice


def test_an_export_in_s3_whose_data_is_gone_or_damaged_is_told(session, bucket):
    client = session.client("s3")
    keys = [each["Key"] for each in client.list_objects_v2(Bucket="exports")["Contents"] if "/data/" in each["Key"]]
    client.delete_object(Bucket="exports", Key=keys[0])
    client.put_object(Bucket="exports", Key=keys[1], Body=b"")
    problems = " ".join(choose(find_exports(bucket, session), "things").problems)
    assert "is missing" in problems
    assert "has the MD5" in problems


def test_one_incremental_export_finds_its_data_beside_it(session, tmp_path):
    manifest = {
        "outputFormat": "DYNAMODB_JSON",
        "tableArn": "arn:aws:dynamodb:local:000000000000:table/things",
        "tableId": "1",
        "exportType": "INCREMENTAL_EXPORT",
        "exportFromTime": "2026-01-01T00:00:00Z",
        "exportToTime": "2026-01-01T01:00:00Z",
        "itemCount": 1,
    }
    entry = {"itemCount": 1, "md5Checksum": "x", "dataFileS3Key": "AWSDynamoDB/data/one.json.gz"}
    client = session.client("s3")
    client.create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": REGION})
    folder = "AWSDynamoDB/01767225600000-0123abcd"
    for key, body in (
        (f"{folder}/manifest-summary.json", manifest),
        (f"{folder}/manifest-files.json", entry),
        ("AWSDynamoDB/data/one.json.gz", {}),
    ):
        client.put_object(Bucket="exports", Key=key, Body=json.dumps(body).encode())
    for source in (f"s3://exports/{folder}/", "s3://exports/AWSDynamoDB", "s3://exports"):
        (found,) = find_exports(source, session)
        assert found.problems == ()
        assert found.kind == "incremental"


def test_exports_in_s3_need_a_session_a_permission_and_to_be_there(session, bucket):
    with pytest.raises(ParameterError, match="engine="):
        export_manifests.find_exports(bucket)
    with pytest.raises(ParameterError, match="holds no export of a table to S3"):
        find_exports("s3://exports/elsewhere", session)
    intercept(session, "ListObjectsV2", lambda **_: "AccessDenied", service="s3")
    with pytest.raises(ParameterError, match=r"AccessDenied.*s3:ListBucket on exports"):
        find_exports(bucket, session)


# results in S3


def test_a_frame_is_written_to_s3_with_what_it_is_and_never_over_another_unless_told(session):
    client = session.client("s3")
    client.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": REGION})
    df, place = pd.DataFrame({"a": [1, 2]}), "s3://results/some/answer.csv"
    assert write_frame(df, place, meta={"question": "q"}, session=session) == place
    body = client.get_object(Bucket="results", Key="some/answer.csv")["Body"].read()
    assert body == b'"a"\n1\n2\n'
    about = json.loads(client.get_object(Bucket="results", Key="some/answer.csv.meta.json")["Body"].read())
    assert (about["question"], about["rows"]) == ("q", 2)
    with pytest.raises(ExportError, match=r"answer\.csv exists already"):
        write_frame(df, place, session=session)
    write_frame(df[:1], place, meta={}, session=session, overwrite=True)
    assert client.get_object(Bucket="results", Key="some/answer.csv")["Body"].read() == b'"a"\n1\n'


def test_an_object_that_appears_in_between_is_not_overwritten(session, monkeypatch):
    client = session.client("s3")
    client.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_object(Bucket="results", Key="a.csv", Body=b"theirs")
    monkeypatch.setattr("workbench.aws.files.S3Files.exists", lambda *_: False)
    with pytest.raises(ExportError, match="exists already"):
        write_frame(pd.DataFrame({"a": [1]}), "s3://results/a.csv", session=session)
    assert client.get_object(Bucket="results", Key="a.csv")["Body"].read() == b"theirs"


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("s3://results", "s3://bucket/key"),
        ("s3://results/a/", "s3://bucket/key"),
        ("https://x/a.csv", "write a file"),
        ("s3://results/a.doc", "cannot write 'doc'"),
        ("s3://nowhere/a.csv", "the permissions are s3:PutObject"),
    ],
)
def test_a_place_that_cannot_be_written_is_one_line(session, place, told):
    with pytest.raises(ExportError, match=told):
        write_frame(pd.DataFrame({"a": [1]}), place, session=session)


def test_without_a_session_s3_is_refused_with_the_way_out():
    with pytest.raises(ExportError, match='engine="athena"'):
        write_frame(pd.DataFrame({"a": [1]}), "s3://results/a.csv")
