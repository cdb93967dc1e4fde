"""Generated tables are what was asked for, the same each time, and their log gives them back."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from workbench import Workbench
from workbench.errors import ParameterError, StoreError
from workbench.model.attributes import to_images
from workbench.model.items import to_dynamodb
from workbench.model.records import canonical_change, canonical_json
from workbench.sandbox import ItemStore
from workbench.sandbox.generate import Generated, generate

START, END = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 12, tzinfo=UTC)
CLEAN = {"duplicates": 0.0, "late": 0.0, "reordered": 0.0, "same_instant": 0.0}
Change = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """A generated table: what generate() said, the home it lies in, and its deliveries in the order of arrival."""

    said: Generated
    home: Path
    deliveries: list[Change]

    @property
    def changes(self) -> list[Change]:
        """Each change once, by time."""
        distinct = {change["event_id"]: change for change in self.deliveries}
        return sorted(distinct.values(), key=lambda change: change["ts"])


def make(home: Path, dataset: str, **options: Any) -> Generated:
    options = {"start": START, "end": END, "progress": False} | options
    with ItemStore(home / "store.sqlite") as store:
        return generate(store, home / "lake", dataset, **options)


def objects(home: Path) -> dict[str, bytes]:
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in sorted((home / "lake").rglob("*"))
        if path.is_file()
    }


def made(home: Path, dataset: str, **options: Any) -> Made:
    said = make(home, dataset, **options)
    by_arrival = sorted(objects(home).items(), key=lambda item: (item[0].rpartition("/")[0], item[0]))
    rows = [canonical_change(json.loads(line)) for _, body in by_arrival for line in gzip.decompress(body).splitlines()]
    return Made(said, home, rows)


@pytest.fixture(scope="module")
def persons(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(
        tmp_path_factory.mktemp("persons"),
        "persons",
        changes=6_000,
        items=500,
        seed=1,
        duplicates=0.05,
        late=0.05,
        reordered=0.1,
        same_instant=0.2,
    )


@pytest.fixture(scope="module")
def heartrate(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("heartrate"), "heartrate", changes=3_000, seed=1)


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("orders"), "orders", changes=4_000, seed=1)


@pytest.fixture(params=["persons", "heartrate", "orders"])
def dataset(request: pytest.FixtureRequest) -> Iterator[Made]:
    return request.getfixturevalue(request.param)


def replayed_out_of_order(deliveries: list[Change]) -> int:
    """Count the deliveries that come after one of a newer change."""
    newest, behind = "", 0
    for change in deliveries:
        behind += change["ts"] < newest
        newest = max(newest, change["ts"])
    return behind


def test_the_log_gives_the_table_that_made_it(dataset):
    wb = Workbench(home=dataset.home)
    result = wb.latest_state(dataset.said.table)
    wb.close()
    with ItemStore(dataset.home / "store.sqlite") as store:
        items = sorted(canonical_json(to_dynamodb(item)) for item in store.scan(dataset.said.table))
        assert list(store.pending(dataset.said.table)) == []
    assert sorted(canonical_json(image) for image in to_images(result.df)) == items
    assert result.stats.ambiguous_ties == 0
    assert result.stats.unreadable == ()


def test_there_are_as_many_changes_and_items_as_asked(dataset):
    said, changes = dataset.said, dataset.changes
    assert said.changes == len(changes) == {"persons": 6_000, "heartrate": 3_000, "orders": 4_000}[said.table]
    items = {"persons": 500, "heartrate": 2_400, "orders": 800}[said.table]
    assert said.items == len({change["keys"] for change in changes}) == items
    assert said.deliveries == len(dataset.deliveries)
    assert said.objects == len(objects(dataset.home))
    assert {change["event_name"] for change in changes} == {"INSERT", "MODIFY", "REMOVE"}


def test_no_change_lies_outside_the_span(dataset):
    times = [datetime.fromisoformat(change["ts"]).replace(tzinfo=UTC) for change in dataset.changes]
    assert START <= min(times) < START + timedelta(hours=3)
    assert END - timedelta(hours=3) < max(times) < END


def test_every_change_of_an_item_follows_its_last_once_ties_are_put_in_order(dataset):
    states: dict[str, Counter[str | None]] = defaultdict(Counter)
    for change in dataset.changes:
        assert change["new_image"] != change["old_image"]
        states[change["keys"]].update({change["new_image"]: 1})
        states[change["keys"]].subtract({change["old_image"]: 1})
    for images in states.values():  # what came less what went: from nothing to one last image
        assert sum(images.values()) == 0
        assert sorted(count for count in images.values() if count) in ([], [-1, 1])
        assert images[None] <= 0


@pytest.mark.parametrize(("items", "changes"), [(1, 1), (1, 3), (1, 60), (60, 60), (40, 60), (2, 400)])
@pytest.mark.parametrize("table", ["persons", "heartrate", "orders"])
def test_small_and_lopsided_tables_have_exactly_what_was_asked_too(tmp_path, table, items, changes):
    for seed in range(4):
        small = made(tmp_path / str(seed), table, items=items, changes=changes, seed=seed, same_instant=0.5)
        assert len(small.changes) == small.said.changes == changes
        assert len({change["keys"] for change in small.changes}) == small.said.items == items


def test_the_faults_have_about_the_shares_asked(persons):
    changes, sent = persons.changes, Counter(change["event_id"] for change in persons.deliveries)
    assert sum(count == 2 for count in sent.values()) / len(changes) == pytest.approx(0.05, rel=0.25)
    groups = Counter((change["keys"], change["ts"]) for change in changes)
    assert sum(count for count in groups.values() if count > 1) / len(changes) == pytest.approx(0.2, rel=0.25)
    assert 0.1 < replayed_out_of_order(persons.deliveries) / len(persons.deliveries) < 0.25


def test_without_faults_every_change_comes_once_in_order_and_no_two_of_an_item_at_one_instant(tmp_path):
    clean = made(tmp_path, "persons", changes=3_000, items=100, **CLEAN)
    assert clean.said.deliveries == len(clean.deliveries) == 3_000
    assert replayed_out_of_order(clean.deliveries) == 0
    assert max(Counter((change["keys"], change["ts"]) for change in clean.changes).values()) == 1


def test_persons_hold_every_kind_of_value_a_drifting_schema_deletes_and_time_to_live(persons):
    turn = (START + (END - START) / 2).isoformat(" ")
    kinds: dict[str, set[tuple[str, bool]]] = defaultdict(set)
    for change in persons.changes:
        for name, value in json.loads(change["new_image"] or "{}").items():
            kinds[name].update((kind, change["ts"] >= turn[:19]) for kind in value)
    assert {kind for kind, _ in kinds["phone"]} == {"S", "N"}
    assert ("N", False) not in kinds["phone"]
    assert kinds["loyalty"] == {("M", True)}
    assert {kind for kind, _ in kinds["note"]} == {"S", "NULL"}
    assert {
        name: {kind for kind, _ in kinds[name]} for name in ("person", "tags", "avatar", "active", "expires_at")
    } == {"person": {"M"}, "tags": {"SS"}, "avatar": {"B"}, "active": {"BOOL"}, "expires_at": {"N"}}
    assert any('"note":{"S":""}' in (change["new_image"] or "") for change in persons.changes)
    removed = [change for change in persons.changes if change["event_name"] == "REMOVE"]
    assert 20 < sum(change["by_ttl"] for change in removed) < len(removed) - 20
    for change in removed:
        if change["by_ttl"]:
            over = int(json.loads(change["old_image"])["expires_at"]["N"])
            assert over <= datetime.fromisoformat(change["ts"] + "+00:00").timestamp()


def test_heartrate_has_a_composite_key_of_text_and_number_and_plausible_numbers(heartrate):
    assert all(
        {name: [*value] for name, value in json.loads(change["keys"]).items()}
        == {"report_time": ["N"], "sensor_id": ["S"]}
        for change in heartrate.changes
    )
    rates = [
        int(json.loads(change["new_image"])["HeartRate"]["N"]) for change in heartrate.changes if change["new_image"]
    ]
    assert 45 < min(rates) < max(rates) < 230
    assert any(change["by_ttl"] for change in heartrate.changes)


def test_orders_move_on_through_their_states_with_totals_authors_and_versions(orders):
    steps, carts, stuck = Counter(), 0, set()
    for change in orders.changes:
        old, new = (json.loads(change[image] or "null") for image in ("old_image", "new_image"))
        if new:
            lines = [line["M"] for line in new["items"]["L"]]
            goods = sum(Decimal(line["price"]["N"]) * int(line["quantity"]["N"]) for line in lines)
            less = goods * Decimal("0.9") if "coupon" in new else goods
            assert abs(Decimal(new["total"]["N"]) - less - (Decimal("4.9") if goods < 50 else 0)) <= Decimal("0.005")
            assert new["updated_by"]["S"].partition(":")[0] in {"shop", "payments", "warehouse", "carrier", "support"}
            assert new["created_at"]["S"] <= new["updated_at"]["S"]
            stuck |= {change["keys"]} if "on_hold" in new else set()
        if old and new and int(new["version"]["N"]) > int(old["version"]["N"]):  # no burst's way back
            assert int(new["version"]["N"]) == int(old["version"]["N"]) + 1
            steps[old["status"]["S"], new["status"]["S"]] += 1
        carts += change["by_ttl"] and old["status"]["S"] == "cart"
    moves = {step: times for step, times in steps.items() if step[0] != step[1]}
    assert moves.keys() == {
        ("cart", "placed"),
        ("placed", "paid"),
        ("placed", "cancelled"),
        ("paid", "packed"),
        ("paid", "cancelled"),
        ("packed", "shipped"),
        ("shipped", "delivered"),
        ("delivered", "returned"),
        ("returned", "refunded"),
    }
    assert min(moves.values()) > 5
    assert moves["placed", "paid"] > 200
    assert carts > 5
    assert len(stuck) > 10


def test_in_a_bad_night_a_job_cancels_orders_beside_the_other_changes(tmp_path):
    said = make(tmp_path, "orders", changes=3_000, bad_night=True, **CLEAN)
    night = datetime(2026, 1, 11, 2, 10)
    wb = Workbench(home=tmp_path, source=str(tmp_path / "lake/data"))
    changes = wb.changes("orders").df
    by_job = changes[(changes["new.updated_by"] == "job:clean-up") & (changes["new.version"] > changes["old.version"])]
    assert len(by_job) == said.changes - 3_000 > 5
    assert len(changes) == said.changes
    assert set(by_job["old.status"]) == {"paid"}
    assert set(by_job["new.status"]) == {"cancelled"}
    assert set(by_job["new.paid_with"]) == {"invoice"}
    made = by_job["ts"].dt.tz_localize(None)
    assert night <= made.min() <= made.max() < night + timedelta(minutes=2)
    undone = wb.undo(
        "orders", start=str(night), end=str(night + timedelta(minutes=2)), actor_is="updated_by=job:clean-up"
    )
    assert len(undone.df) == len(by_job)
    assert not wb.data_quality("orders").gaps.size  # who writes afterwards has found what the job left
    assert make(tmp_path, "orders", changes=3_000, bad_night=True, **CLEAN).kept
    with pytest.raises(StoreError, match="made with other arguments"):
        make(tmp_path, "orders", changes=3_000, **CLEAN)
    wb.close()


def test_changes_follow_the_hours_of_the_day_and_rest_at_weekends(tmp_path):
    clean = made(tmp_path, "persons", changes=5_000, **CLEAN)
    times = [datetime.fromisoformat(change["ts"]) for change in clean.changes]
    hours = Counter(at.hour for at in times)
    assert sum(hours[hour] for hour in range(17, 21)) > 5 * sum(hours[hour] for hour in range(1, 5))
    days = Counter(at.weekday() for at in times)
    assert max(days[5], days[6]) < 0.75 * min(days[day] for day in range(5))


@pytest.mark.process
def test_the_same_arguments_make_the_same_bytes_in_another_process_too(tmp_path):
    script = (
        "import sys; from datetime import *; from pathlib import Path; from tests.sandbox.test_generate import make\n"
        "for name in ('persons', 'heartrate', 'orders'): make(Path(sys.argv[1]), name, changes=400, seed=5)"
    )
    for home, hashes in (("one", "1"), ("two", "2")):
        environment = os.environ | {"PYTHONHASHSEED": hashes, "PYTHONPATH": str(Path(__file__).parents[2])}
        subprocess.run([sys.executable, "-c", script, str(tmp_path / home)], check=True, env=environment)
    assert objects(tmp_path / "one") == objects(tmp_path / "two") != {}
    for name in ("persons", "heartrate", "orders"):
        make(tmp_path / "three", name, changes=400, seed=6)
    assert not objects(tmp_path / "one").keys() & objects(tmp_path / "three").keys()


def test_a_second_call_keeps_what_is_there_and_other_arguments_need_replace(tmp_path):
    first = make(tmp_path, "persons", changes=200)
    before = objects(tmp_path)
    again = make(tmp_path, "persons", changes=200)
    assert again.kept
    assert not first.kept
    assert (again.changes, again.items, again.objects) == (first.changes, first.items, first.objects)
    with pytest.raises(StoreError, match="made with other arguments"):
        make(tmp_path, "persons", changes=200, seed=9)
    assert objects(tmp_path) == before
    other = make(tmp_path, "persons", changes=200, seed=9, replace=True)
    assert not other.kept
    assert not objects(tmp_path).keys() & before.keys()
    make(tmp_path, "persons", changes=200, replace=True)
    assert objects(tmp_path) == before


def test_replacing_one_table_leaves_the_other(tmp_path):
    make(tmp_path, "heartrate", changes=100)
    before = objects(tmp_path)
    make(tmp_path, "persons", changes=100)
    make(tmp_path, "persons", changes=120, replace=True)
    assert before.items() <= objects(tmp_path).items()


def test_an_interrupted_generation_is_made_anew_when_asked_again(tmp_path, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.sandbox.generate.deliver", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, "persons", changes=100)
    monkeypatch.undo()
    assert not make(tmp_path, "persons", changes=100).kept
    make(tmp_path / "whole", "persons", changes=100)
    assert objects(tmp_path).items() >= objects(tmp_path / "whole").items()


def test_a_lake_that_was_thrown_away_is_made_anew(tmp_path):
    make(tmp_path, "persons", changes=100)
    before = objects(tmp_path)
    (tmp_path / "lake").rename(tmp_path / "gone")
    assert not make(tmp_path, "persons", changes=100).kept
    assert objects(tmp_path) == before


def test_a_table_or_a_log_of_someone_elses_is_not_touched_unless_told(tmp_path):
    log = tmp_path / "lake" / "data" / "persons" / "copied-from-a-bucket.json"
    log.parent.mkdir(parents=True)
    log.write_text("{}")
    with pytest.raises(StoreError, match="pass replace=True"):
        make(tmp_path, "persons", changes=10)
    assert log.exists()
    with ItemStore(tmp_path / "store.sqlite") as store:
        store.create_table("heartrate", {"mine": "S"})
    with pytest.raises(StoreError, match="made with other arguments or by hand"):
        make(tmp_path, "heartrate", changes=10)


def test_the_store_draws_its_own_event_ids_again_afterwards(tmp_path):
    with ItemStore(tmp_path / "store.sqlite") as store:
        ids = []
        for _ in range(2):
            generate(store, tmp_path / "lake", "persons", changes=10, progress=False, replace=True)
            ids.append(store.event_id())
    assert ids[0] != ids[1]


def test_a_time_without_a_zone_is_utc_and_one_with_a_zone_is_converted(tmp_path):
    zone = timezone(timedelta(hours=3))
    spans = [
        (START, END),
        (START.replace(tzinfo=None), END.replace(tzinfo=None)),
        (START.astimezone(zone), END.astimezone(zone)),
    ]
    logs = []
    for number, (start, end) in enumerate(spans):
        make(tmp_path / str(number), "persons", changes=50, start=start, end=end)
        logs.append(objects(tmp_path / str(number)))
    assert logs[0] == logs[1] == logs[2]


def test_without_a_span_it_is_the_seven_days_to_the_last_full_hour(tmp_path):
    recent = made(tmp_path, "persons", changes=500, start=None, end=None)
    times = [datetime.fromisoformat(change["ts"]).replace(tzinfo=UTC) for change in recent.changes]
    assert max(times) < datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    assert timedelta(days=5) < max(times) - min(times) < timedelta(days=7)


@pytest.mark.parametrize("layout", ["raw", "parquet"])
def test_the_layout_is_the_one_asked_for(tmp_path, layout):
    make(tmp_path, "persons", changes=200, layout=layout)
    wb = Workbench(home=tmp_path)
    with ItemStore(tmp_path / "store.sqlite") as store:
        assert len(wb.latest_state("persons").df) == len(list(store.scan("persons")))
    assert all(name.endswith(".parquet" if layout == "parquet" else ".json.gz") for name in objects(tmp_path))
    wb.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"dataset": "person"}, "Did you mean"),
        ({"late": 0.6}, "late=0.6"),
        ({"duplicates": -0.1}, "duplicates=-0.1"),
        ({"changes": 0}, "changes=0"),
        ({"items": 0}, "items=0"),
        ({"items": 11, "changes": 10}, "items=11"),
        ({"start": END, "end": START}, "the span is empty"),
        ({"layout": "xml", "replace": True}, "no layout 'xml'"),
        ({"bad_night": True}, "bad_night is told of orders, not of persons"),
        ({"dataset": "orders", "bad_night": True, "start": END - timedelta(hours=20)}, "no night in the span"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_anything_is_made(tmp_path, wrong, told):
    with pytest.raises(ParameterError, match=told):
        make(tmp_path, wrong.pop("dataset", "persons"), **wrong)
    assert objects(tmp_path) == {}


@pytest.mark.process
def test_memory_stays_bounded(tmp_path):
    script = (
        "import resource, sys; from pathlib import Path; from tests.sandbox.test_generate import make\n"
        "make(Path(sys.argv[1]) / 'small', 'heartrate', changes=100)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "make(Path(sys.argv[1]) / 'large', 'heartrate', changes=20_000)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=True, env=environment, capture_output=True
    )
    assert int(run.stdout) < 60 * 1024  # KiB
