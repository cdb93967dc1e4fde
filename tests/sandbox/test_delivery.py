"""Delivery writes Firehose's objects, whole, and loses nothing."""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from workbench import Workbench
from workbench.model.attributes import to_images
from workbench.model.items import to_dynamodb
from workbench.model.records import canonical_json
from workbench.sandbox import Faults, ItemStore, deliver

START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)


def write(store: ItemStore, count: int, *, seconds: float = 60.0) -> None:
    """Make changes of twenty items, evenly spaced from START on."""
    with store.bulk():
        for number in range(count):
            at, pk = START + timedelta(seconds=number * seconds), f"p-{number * 7 % 20}"
            if number % 11 == 10:
                store.delete_item("things", {"pk": pk}, now=at)
            store.put_item("things", {"pk": pk, "n": number, "b": b"\xff", "s": {"a", "b"}}, now=at)


def data(lake: Path) -> list[Path]:
    return sorted(path for path in (lake / "data" / "things").rglob("*") if path.is_file())


def lines(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()).decode()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def event_ids(lake: Path) -> list[str]:
    return [row.get("event_id") or row["eventID"] for path in data(lake) for row in lines(path)]


def pending(store: ItemStore) -> list[str]:
    return [json.loads(text)["eventID"] for text in store.records([number for number, _ in store.pending("things")])]


def latest(lake: Path) -> list[str]:
    wb = Workbench(lake / "data" / "things")
    result = wb.latest_state("things")
    wb.close()
    assert result.stats.unreadable == ()
    assert result.stats.ambiguous_ties == 0
    return sorted(canonical_json(image) for image in to_images(result.df))


def held(store: ItemStore) -> list[str]:
    return sorted(canonical_json(to_dynamodb(item)) for item in store.scan("things"))


@pytest.mark.parametrize("layout", ["envelope", "raw", "parquet"])
def test_every_layout_is_read_to_the_state_of_the_store(store, lake, layout):
    write(store, 300)
    store.update_item("things", {"pk": "p-1"}, put={"none": None, "empty": "", "map": {"a": [1, 2.5]}})
    numbers = len(pending(store))
    done = deliver(store, lake, "things", layout=layout, buffer_records=40, faults=Faults(0.2, 0.05, 0.2))
    assert done.deliveries > numbers
    assert done.objects == len(data(lake)) > 1
    assert {"".join(path.suffixes) for path in data(lake)} == {".parquet" if layout == "parquet" else ".json.gz"}
    assert latest(lake) == held(store)
    assert pending(store) == []


def test_what_arrives_now_lies_under_this_hour_and_is_delivered_once(store, lake):
    write(store, 30)
    before = datetime.now(UTC)
    sent = pending(store)
    done = deliver(store, lake, "things")
    hours = {f"{at:year=%Y/month=%m/day=%d/hour=%H}" for at in (before, datetime.now(UTC))}
    (path,) = data(lake)
    assert path.parent.relative_to(lake / "data" / "things").as_posix() in hours
    assert (done.deliveries, done.objects, done.refused) == (len(sent), 1, 0)
    assert event_ids(lake) == sent
    assert deliver(store, lake, "things").deliveries == 0
    assert data(lake) == [path]


def test_objects_lie_by_the_utc_arrival_of_their_oldest_record(store, lake):
    write(store, 300)  # five hours, over midnight
    deliver(store, lake, "things", buffer_seconds=300, faults=Faults())
    assert {path.parent.relative_to(lake).as_posix() for path in data(lake)} == {
        "data/things/year=2026/month=03/day=01/hour=22",
        "data/things/year=2026/month=03/day=01/hour=23",
        "data/things/year=2026/month=03/day=02/hour=00",
        "data/things/year=2026/month=03/day=02/hour=01",
        "data/things/year=2026/month=03/day=02/hour=02",
    }
    for path in data(lake):
        named = datetime.strptime(path.name[len("things-1-") :][:19], "%Y-%m-%d-%H-%M-%S").replace(tzinfo=UTC)
        assert path.parent.as_posix().endswith(f"{named:year=%Y/month=%m/day=%d/hour=%H}")
        times = [datetime.fromisoformat(row["ts"]).replace(tzinfo=UTC) for row in lines(path)]
        assert timedelta(0) <= named - min(times).replace(microsecond=0) <= timedelta(seconds=2)
        assert max(times) - min(times) <= timedelta(seconds=302)


def test_a_buffer_is_full_after_its_records_or_its_seconds(store, lake):
    write(store, 100, seconds=0.001)
    changes = len(pending(store))
    deliver(store, lake, "things", buffer_records=30)
    assert sorted(len(lines(path)) for path in data(lake)) == sorted([30] * (changes // 30) + [changes % 30])


def test_nothing_arrives_in_the_future(store, lake):
    now = datetime.now(UTC)
    for number in range(50):
        store.put_item("things", {"pk": str(number)}, now=now - timedelta(seconds=1))
    deliver(store, lake, "things", faults=Faults(duplicates=0.5, late=0.5))
    latest_hour = f"{datetime.now(UTC):year=%Y/month=%m/day=%d/hour=%H}"
    assert all(path.parent.relative_to(lake / "data" / "things").as_posix() <= latest_hour for path in data(lake))
    assert len(set(event_ids(lake))) == 50


def test_faults_have_about_the_shares_asked(store, lake):
    write(store, 3000, seconds=2.0)
    sent = pending(store)
    deliver(store, lake, "things", layout="raw", buffer_seconds=30, faults=Faults(0.1, 0.05, 0.15), seed=3)
    counts = Counter(event_ids(lake))
    assert counts.keys() == set(sent)
    assert set(counts.values()) == {1, 2}
    assert sum(count == 2 for count in counts.values()) / len(sent) == pytest.approx(0.1, rel=0.3)
    delays: dict[str, float] = {}
    for path in data(lake):  # in the order of their arrival; a buffer is at most half a minute wide
        arrived = datetime.strptime(path.name[len("things-1-") :][:19], "%Y-%m-%d-%H-%M-%S").timestamp()
        for row in lines(path):
            made = row["dynamodb"]["ApproximateCreationDateTime"] / 1e6 - START.timestamp()
            delays.setdefault(row["eventID"], arrived - START.replace(tzinfo=None).timestamp() - made)
    assert sum(delay > 6_000 for delay in delays.values()) / len(sent) == pytest.approx(0.05, rel=0.3)
    assert sum(40 < delay <= 6_000 for delay in delays.values()) / len(sent) == pytest.approx(0.15, rel=0.3)


def test_without_faults_each_change_is_delivered_once_and_in_order(store, lake):
    write(store, 500)
    sent = pending(store)
    deliver(store, lake, "things", faults=Faults(), buffer_seconds=600)
    assert event_ids(lake) == sent


BAD = [
    b"not json at all",
    b"",
    b"[]",
    b'{"dynamodb": {}}',
    b"\xff\xfe",
    b'{"eventName": "INSERT", "trunc',
    b'{"eventID":"x","eventName":"MODIFY","tableName":"things","dynamodb":{"ApproximateCreationDateTime":1,'
    b'"Keys":{"pk":{"S":"a"}},"NewImage":{"pk":{"Q":"a"}}}}',
]


@pytest.mark.parametrize("layout", ["envelope", "raw", "parquet"])
def test_a_refused_record_goes_to_the_error_prefix_in_firehoses_form_and_the_others_are_delivered(store, lake, layout):
    for number, bad in enumerate(BAD):
        store.put_item("things", {"pk": f"good {number}"})
        store.connection.execute("insert into changes (name, micros, record) values ('things', 0, ?)", (bad,))
    before = time.time()
    done = deliver(store, lake, "things", layout=layout)
    after = time.time()
    assert (done.deliveries, done.refused) == (len(BAD), len(BAD))
    assert latest(lake) == held(store)
    (failed,) = (path for path in (lake / "errors" / "things").rglob("*") if path.is_file())
    assert failed.relative_to(lake).as_posix().startswith("errors/things/processing-failed/year=")
    told = lines(failed)
    assert [base64.b64decode(each["rawData"]) for each in told] == BAD
    for each in told:  # https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
        assert set(each) == {
            "attemptsMade",
            "arrivalTimestamp",
            "errorCode",
            "errorMessage",
            "attemptEndingTimestamp",
            "rawData",
            "lambdaArn",
        }
        assert each["errorCode"] == "Lambda.ProcessingFailedStatus"
        assert int(before * 1000) <= each["arrivalTimestamp"] <= after * 1000
    assert "unknown type 'Q'" in told[-1]["errorMessage"]
    assert pending(store) == []


@pytest.mark.parametrize("faults", [None, Faults(0.1, 0.1, 0.1)])
def test_a_delivery_killed_between_rename_and_forgetting_is_made_again_and_loses_nothing(
    store, lake, faults, monkeypatch
):
    write(store, 200)
    sent = pending(store)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "delivered", killed)
    with pytest.raises(KeyboardInterrupt):
        deliver(store, lake, "things", faults=faults)
    monkeypatch.undo()
    assert pending(store) == sent
    first = data(lake)
    store.put_item("things", {"pk": "later"}, now=START + timedelta(days=40))
    deliver(store, lake, "things", faults=faults)
    assert set(sent) < set(event_ids(lake))
    assert set(first) <= set(data(lake))
    if faults:  # arrivals are reckoned as before, so the objects before the new change took their own places
        assert len(data(lake)) == len(first) + 1
    assert latest(lake) == held(store)


def test_a_delivery_interrupted_half_way_leaves_whole_objects_and_forgets_none(store, lake, monkeypatch):
    write(store, 200)
    sent, replace = pending(store), os.replace
    calls = iter(range(100))

    def full(*names: Any) -> None:
        if next(calls) == 2:
            raise OSError("no space left on device")
        replace(*names)

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)  # as one that is killed leaves what it was writing
    with pytest.raises(OSError, match="no space"):
        deliver(store, lake, "things", buffer_records=50)
    monkeypatch.undo()
    assert pending(store) == sent
    parts = [path for path in data(lake) if path.name.startswith(".")]
    assert len(parts) == 1
    wb = Workbench(lake / "data" / "things")
    assert wb.latest_state("things").stats.objects == len(data(lake)) - 1
    wb.close()
    deliver(store, lake, "things", buffer_records=50)
    assert not any(path.name.startswith(".") for path in data(lake))
    assert latest(lake) == held(store)


def test_parquet_and_gzip_are_written_the_same_each_time(store, tmp_path):
    write(store, 50)
    numbers = list(store.pending("things"))
    for folder in ("one", "two"):
        for layout in ("envelope", "parquet"):
            store_pending(store, numbers)
            deliver(store, tmp_path / folder, "things", layout=layout, faults=Faults())
    one, two = data(tmp_path / "one"), data(tmp_path / "two")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    # as text: Athena would read a timestamp with milliseconds only
    assert {str(pq.read_schema(path).field("ts").type) for path in one if path.suffix == ".parquet"} == {"string"}


def store_pending(store: ItemStore, numbers: list[tuple[int, int]]) -> None:
    """Have the same changes wait for delivery again."""
    if not list(store.pending("things")):
        store.connection.executemany(
            "insert into changes values (?, 'things', ?, ?)", [(seq, micros, RECORDS[seq]) for seq, micros in numbers]
        )
    RECORDS.update(zip((seq for seq, _ in numbers), store.records([seq for seq, _ in numbers]), strict=True))


RECORDS: dict[int, bytes] = {}

WRITER = """
import os, random, signal, sys
from pathlib import Path
from workbench.sandbox import ItemStore, deliver

home, run = Path(sys.argv[1]), sys.argv[2]

def live(life, rng):
    with ItemStore(home / "items.sqlite") as store:
        for number in range(100_000):
            pk = f"{life}-{number}"
            store.put_item("things", {"pk": pk, "pad": rng.randbytes(3_000)})
            os.write(1, pk.encode() + b"\\n")
            if rng.random() < 0.5:
                deliver(store, home / "lake", "things", buffer_records=5, layout=rng.choice(("envelope", "raw")))

def killed_at_call(number, within):
    def count(frame, event, argument):
        nonlocal number
        number -= not within or frame.f_code.co_name in within
        if not number:
            os.kill(os.getpid(), signal.SIGKILL)
    return count

with ItemStore(home / "items.sqlite") as store:
    if "things" not in store.tables():
        store.create_table("things", {"pk": "S"})
if run == "until killed":
    live(os.getpid(), random.Random(os.getpid()))
halves = 0
for life in range(200):
    rng = random.Random(life)
    if not os.fork():
        if life % 2:
            sys.setprofile(killed_at_call(rng.randrange(1, 80), ("_place", "write_bytes", "delivered")))
        else:
            sys.setprofile(killed_at_call(rng.randrange(200, 4_000), ()))
        live(life, rng)
    os.wait()
    halves += any((home / "lake").rglob(".*.part"))
print(halves)
"""


@pytest.mark.process
def test_a_process_killed_at_any_moment_loses_no_acknowledged_change_and_leaves_no_half_object(tmp_path, lake):
    rng = random.Random(20261121)
    acknowledged: set[str] = set()
    for _ in range(3):
        process = writer(tmp_path, "until killed")
        said = process.stdout.readline()
        said += b"".join(process.stdout.readline() for _ in range(rng.randrange(10, 80)))
        process.kill()
        acknowledged |= set((said + process.communicate()[0]).decode().split("\n")[:-1])
        check_nothing_is_lost(tmp_path, lake, acknowledged)
    assert len(acknowledged) > 20
    check_the_next_delivery_tidies_up(tmp_path, lake)


@pytest.mark.process
def test_a_process_killed_between_any_two_of_its_calls_loses_nothing_either(tmp_path, lake):
    *acknowledged, died_writing = writer(tmp_path, "200 lives").communicate()[0].decode().split()
    assert len(acknowledged) > 100
    assert int(died_writing) > 20
    check_nothing_is_lost(tmp_path, lake, set(acknowledged))
    check_the_next_delivery_tidies_up(tmp_path, lake)


def writer(home: Path, run: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(home), run], stdout=subprocess.PIPE)


def check_nothing_is_lost(home: Path, lake: Path, acknowledged: set[str]) -> None:
    rows = [row for path in data(lake) if not path.name.startswith(".") for row in lines(path)]  # each object is whole
    with ItemStore(home / "items.sqlite") as store:
        waiting = [json.loads(text) for text in store.records([number for number, _ in store.pending("things")])]
        there = {item["pk"] for item in store.scan("things")}
    assert acknowledged <= there
    assert there == {pk(row) for row in rows + waiting}  # nor does the lake hold what the table never held


def check_the_next_delivery_tidies_up(home: Path, lake: Path) -> None:
    with ItemStore(home / "items.sqlite") as store:
        store.put_item("things", {"pk": "last"})
        deliver(store, lake, "things")
        assert not any(path.name.startswith(".") for path in data(lake))
        assert latest(lake) == held(store)


def pk(row: dict[str, Any]) -> str:
    keys = json.loads(row["keys"]) if "keys" in row else row["dynamodb"]["Keys"]
    return keys["pk"]["S"]
