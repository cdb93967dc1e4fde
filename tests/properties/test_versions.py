"""The law of versions: they tile time as the replayed item did, and at every instant they are the state."""

from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.helpers.logs import write_log
from tests.helpers.profiles import examples
from tests.log.test_exports import lines, write_export
from tests.properties.test_checkpoint import when
from tests.properties.test_replay import IMAGE, STEP, delivered, history
from tests.trino.lake import histories
from workbench import Workbench
from workbench.engines.base import Engine
from workbench.model.canonical import binary_once
from workbench.model.records import canonical_change, canonical_json

LAYOUTS = ["raw", "joined", "envelope", "parquet", "mixed"]


def image_of(text: str) -> str:
    """Return a staged image in canonical form."""
    return canonical_json(json.loads(binary_once(text.lstrip()) if text.startswith(" ") else text))


def write(folder: Path, records: list[dict], layout: str, rng: random.Random) -> None:
    """Deliver records in any order, some twice, in objects of a layout."""
    for number, each in enumerate(delivered(records, rng)):
        kind = rng.choice(LAYOUTS[:-1]) if layout == "mixed" else layout
        write_log(folder, each, kind, f"object {number}[*]")


def versions(engine: Engine, **asked: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the versions of each item, by key, in order, with canonical images; they are held to tile time."""
    rows = engine.ask("versions", "things", **asked).rows.to_pylist()
    rows.sort(key=lambda row: (row["keys"], row["valid_from"]))
    by_key = {}
    for key, group in groupby(rows, key=lambda row: row["keys"]):
        of_item = [row | {"image": image_of(row["image"])} for row in group]
        assert [row["version"] for row in of_item] == list(range(1, len(of_item) + 1))
        for row in of_item:
            assert row["valid_to"] is None or row["valid_from"] < row["valid_to"]
            assert (row["ended_by"] is None) == (row["valid_to"] is None)
        for one, other in pairwise(of_item):
            if one["valid_to"] == other["valid_from"]:
                assert one["ended_by"] == "modify"
                assert one["life"] == other["life"]
            else:
                assert one["valid_to"] < other["valid_from"]
                assert one["ended_by"] in ("remove", "ttl")
                assert one["life"] + 1 == other["life"]
        by_key[key] = of_item
    return by_key


def at(by_key: dict[str, list[dict[str, Any]]], moment: datetime) -> dict[str, tuple[str, bool]]:
    """Return the images that hold at an instant, by key, and whether they are ambiguous."""
    moment = moment.astimezone(UTC).replace(tzinfo=None)
    return {
        key: (row["image"], row["ambiguous"])
        for key, rows in by_key.items()
        for row in rows
        if row["valid_from"] <= moment and (row["valid_to"] is None or moment < row["valid_to"])
    }


def state(engine: Engine, moment: datetime, **asked: Any) -> dict[str, tuple[str, bool]]:
    """Return what `latest_state` says of an instant."""
    rows = engine.ask("latest_state", "things", as_of=moment, **asked).rows.to_pylist()
    return {
        row["keys"]: (image_of(row["image"]), row["ambiguous"])
        for row in rows
        if row["image"] is not None and not row["unknown"] and not row["ended"]
    }


def agree(engine: Engine, moment: datetime, by_key: dict[str, list[dict[str, Any]]], **asked: Any) -> None:
    """Hold versions against the state at an instant; of one that began then, also whether it is ambiguous."""
    expected, found = state(engine, moment, **asked), at(by_key, moment)
    assert {key: image for key, (image, _) in found.items()} == {key: image for key, (image, _) in expected.items()}
    began = moment.astimezone(UTC).replace(tzinfo=None)
    for key, rows in by_key.items():
        for row in rows:
            assert row["valid_from"] != began or row["ambiguous"] == expected[key][1]


def replayed(records: list[dict]) -> dict[str, list[dict[str, Any]]]:
    """Return the versions of a history, given its records in the order they were made."""
    lives: dict[str, list[dict[str, Any]]] = {}
    changes = sorted(map(canonical_change, records), key=lambda change: change["keys"])
    for key, of_item in groupby(changes, key=lambda change: change["keys"]):
        rows, image, life = [], "", 1
        for ts, of_instant in groupby(of_item, key=lambda change: change["ts"]):
            group = list(of_instant)
            left, moment = group[-1]["new_image"] or "", datetime.fromisoformat(ts).replace(tzinfo=None)
            ttl = any(change["by_ttl"] for change in group)
            seen = {change[side] for change in group for side in ("new_image", "old_image")}
            came_to_nothing = (
                all(  # as an item does that comes and goes in its first instant, and not one that only goes
                    sum((change["new_image"] == each) - (change["old_image"] == each) for change in group) == 0
                    for each in seen
                )
            )
            if left == image and (left == "" or len(seen) > 1) and (rows or life > 1 or came_to_nothing):
                continue
            if image:
                ended = "modify" if left else "ttl" if ttl else "remove"
                rows[-1] |= {"valid_to": moment, "ended_by": ended}
            if left:
                made_by = {change["event_id"] for change in group if change["new_image"] == left}
                rows.append({"image": left, "valid_from": moment, "valid_to": None, "ended_by": None})
                rows[-1] |= {"version": len(rows), "life": life, "made_by": made_by}
            else:
                life += 1
            image = left
        if rows:
            lives[key] = rows
    return lives


def same(found: dict[str, list[dict[str, Any]]], expected: dict[str, list[dict[str, Any]]]) -> None:
    """Hold versions against those of a replay."""
    assert found.keys() == expected.keys()
    for key, rows in expected.items():
        for row, wanted in zip(found[key], rows, strict=True):
            assert {name: row[name] for name in wanted if name != "made_by"} == {
                name: value for name, value in wanted.items() if name != "made_by"
            }
            assert row["event_id"] in wanted["made_by"]


@pytest.mark.parametrize("layout", LAYOUTS)
@given(
    steps=st.lists(STEP, min_size=1, max_size=14),
    pool=st.lists(IMAGE, min_size=3, max_size=3, unique_by=str),
    seed=st.integers(0, 2**32 - 1),
    stored=st.booleans(),
)
@examples(25)
def test_versions_of_any_delivery_of_a_history_are_those_of_its_replay(layout, steps, pool, seed, stored):
    rng = random.Random(seed)
    records, states = history(steps, pool, rng, apart=False)
    if not records:
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "log"), records, layout, rng)
        wb = Workbench(Path(folder, "log"), home=Path(folder, "home"), store=stored)
        found = versions(wb._engine)
        same(found, replayed(records))
        event(f"{max(map(len, found.values()), default=0)} versions")
        for moment, images in states:
            assert sorted(image for image, _ in at(found, when(moment)).values()) == images
            agree(wb._engine, when(moment), found)
            then = versions(wb._engine, as_of=when(moment))
            same(then, replayed([each for each in records if _made(each) <= moment]))
        wb.close()


def items(engine: Engine, **asked: Any) -> dict[str, dict[str, Any]]:
    """Return what `items` says, by key."""
    rows = engine.ask("items", "things", **asked).rows.to_pylist()
    assert len({row["keys"] for row in rows}) == len(rows)
    return {row["keys"]: row for row in rows}


@pytest.mark.parametrize("layout", ["raw", "mixed"])
@given(
    steps=st.lists(STEP, min_size=1, max_size=14),
    pool=st.lists(IMAGE, min_size=3, max_size=3, unique_by=str),
    seed=st.integers(0, 2**32 - 1),
    stored=st.booleans(),
)
@examples(25)
def test_items_that_ever_were_are_those_of_the_replay(layout, steps, pool, seed, stored):
    rng = random.Random(seed)
    records, _ = history(steps, pool, rng, apart=False)
    if not records:
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "log"), records, layout, rng)
        wb = Workbench(Path(folder, "log"), home=Path(folder, "home"), store=stored)
        for until in (None, when(_made(rng.choice(records)))):
            some = [each for each in records if until is None or when(_made(each)) <= until]
            changes = list(map(canonical_change, some))
            lives = replayed(some)
            found = items(wb._engine, as_of=until)
            assert found.keys() == {change["keys"] for change in changes}
            for key, item in found.items():
                of_item = [change for change in changes if change["keys"] == key]
                last, rows = of_item[-1], lives.get(key, [])
                times = [datetime.fromisoformat(change["ts"]).replace(tzinfo=None) for change in of_item]
                in_last = [change for change in of_item if change["ts"] == last["ts"]]
                gone = last["new_image"] is None
                assert item == {
                    "keys": key,
                    "first_change": times[0],
                    "last_change": times[-1],
                    "changes": len(of_item),
                    "lives": max([row["life"] for row in rows], default=1),
                    "deleted": gone,
                    "by_ttl": gone and any(change["by_ttl"] for change in in_last),
                }
        wb.close()


def _made(record: dict) -> int:
    return int(record["dynamodb"]["ApproximateCreationDateTime"])


@given(seed=st.integers(0, 2**32 - 1), stored=st.booleans(), layout=st.sampled_from(LAYOUTS))
@examples(10)
def test_where_records_and_images_are_missing_versions_are_the_state_at_every_instant(seed, stored, layout):
    rng = random.Random(seed)
    records = histories(seed, "odd")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "log"), records, layout, rng)
        wb = Workbench(Path(folder, "log"), home=Path(folder, "home"), store=stored)
        found = versions(wb._engine)
        moments = sorted({row["ts"] for row in wb._engine.ask("changes", "things").rows.to_pylist()})
        for moment in (*rng.sample(moments, 8), moments[-1]):
            agree(wb._engine, moment.replace(tzinfo=UTC), found)
        event(f"ambiguous: {any(row['ambiguous'] for rows in found.values() for row in rows)}")
        wb.close()


@given(
    steps=st.lists(STEP, min_size=3, max_size=14),
    pool=st.lists(IMAGE, min_size=3, max_size=3, unique_by=str),
    seed=st.integers(0, 2**32 - 1),
)
@examples(15)
def test_what_a_baseline_knew_holds_from_its_instant_on(steps, pool, seed):
    rng = random.Random(seed)
    records, states = history(steps, pool, rng, apart=False)
    kept = [each for each in records if rng.random() < 0.7]
    if not kept:
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "log"), kept, "mixed", rng)
        instant, images = rng.choice(states)
        write_export(Path(folder, "exports"), [lines({"Item": json.loads(image)} for image in images)], when(instant))
        wb = Workbench(Path(folder, "log"), home=Path(folder, "home"), baseline=f"{folder}/exports")
        found = versions(wb._engine, over="history")
        known = wb._engine.baseline("things")
        assert known
        if known.time == when(instant):  # exports tell milliseconds
            assert sorted(image for image, _ in at(found, when(instant)).values()) == images
            event("told exactly")
        for moment, _ in states:
            for near in (when(moment), when(moment) - timedelta(microseconds=1)):
                agree(wb._engine, near, found, over="state")
        wb.close()


@given(seed=st.integers(0, 2**32 - 1))
@examples(5)
def test_every_change_that_makes_a_version_is_one_of_the_log(seed):
    records = histories(seed, "odd")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "log"), records, "mixed", random.Random(seed))
        wb = Workbench(Path(folder, "log"), home=Path(folder, "home"))
        changes = {row["event_id"]: row for row in wb._engine.ask("changes", "things").rows.to_pylist()}
        made_by = Counter()
        for rows in versions(wb._engine).values():
            for row in rows:
                change = changes[row["event_id"]]
                assert image_of(change["new_image"]) == row["image"]
                assert change["keys"] == row["keys"]
                assert change["ts"] <= row["valid_from"]
                made_by[row["event_id"], row["valid_from"]] += 1
        assert set(made_by.values()) == {1}
        wb.close()
