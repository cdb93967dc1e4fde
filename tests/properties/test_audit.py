"""The laws of history, diff and gap detection, over random histories in any delivery."""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.logs import write_log
from tests.helpers.profiles import examples
from tests.model.test_ordering import fits
from tests.properties.test_replay import BASE, EPOCH, IMAGE, STEP, delivered, history
from workbench import Workbench
from workbench.model.differences import Difference, apply
from workbench.model.items import to_dynamodb
from workbench.model.ordering import ABSENT, Link
from workbench.model.records import canonical_change, canonical_json

LAYOUTS = ["raw", "joined", "envelope", "parquet"]
STEPS = st.lists(STEP, min_size=1, max_size=12)
POOL = st.lists(IMAGE, min_size=3, max_size=3)
_PART = re.compile(r'"((?:[^"]|"")*)"|\[(\d+)\]|([^.\["]+)')


@contextmanager
def workbench_of(records: list[dict], rng: random.Random) -> Iterator[Workbench]:
    """Deliver records in any order and layout, some twice."""
    with tempfile.TemporaryDirectory() as folder:
        for number, each in enumerate(delivered(records, rng)):
            write_log(Path(folder), each, rng.choice(LAYOUTS), f"object {number}")
        wb = Workbench(folder)
        yield wb
        wb.close()


def difference(row: dict) -> Difference:
    """What a row of a frame says, read back from its texts and Python values."""
    path = tuple(
        int(index) if index else bare or quoted.replace('""', '"') for quoted, index, bare in _PART.findall(row["path"])
    )
    sides = [None if value is pd.NA else to_dynamodb({"": value})[""] for value in (row["before"], row["after"])]
    return Difference(path, row["change"], *sides)


def key_of(row: dict) -> str:
    return canonical_json(to_dynamodb({"pk": row["pk"], "sk": row["sk"]}))


def moment(micros: int):
    return EPOCH + timedelta(microseconds=micros - BASE)


def states_of(wb: Workbench, at) -> dict[str, dict]:
    """The items there were at an instant, by the engine, without their keys' text."""
    rows = wb._engine.ask("latest_state", "things", as_of=at, include_deleted=False).rows.to_pylist()
    return {row["keys"]: json.loads(canonical_json(json.loads(row["image"]))) for row in rows if row["image"]}


@given(steps=STEPS, pool=POOL, seed=st.integers(0, 2**32))
@examples(40)
def test_a_diff_applied_to_the_earlier_state_gives_the_later_one(steps, pool, seed):
    rng = random.Random(seed)
    records, states = history(steps, pool, rng, apart=False)
    if not records:
        return
    with workbench_of(records, rng) as wb:
        one, other = sorted(rng.choices([BASE - 1, *(at for at, _ in states)], k=2))
        found = wb.diff("things", moment(one), moment(other))
        state = states_of(wb, moment(one))
        for key, rows in groups(found.df):
            changed = apply(state.get(key), [difference(row) for row in rows if isinstance(row["path"], str)])
            if rows[0]["item"] == "removed":
                assert key not in states_of(wb, moment(other))
                state.pop(key)
            else:
                state[key] = json.loads(canonical_json(json.loads(key) | changed))
        assert sorted(map(canonical_json, state.values())) == dict([(BASE - 1, []), *states])[other]
        assert sum(found.items.values()) == len(states_of(wb, moment(one)).keys() | states_of(wb, moment(other)).keys())


@given(steps=STEPS, pool=POOL, seed=st.integers(0, 2**32))
@examples(40)
def test_the_histories_of_all_items_replayed_give_the_table_and_have_no_gap(steps, pool, seed):
    rng = random.Random(seed)
    records, states = history(steps, pool, rng, apart=False)
    if not records:
        return
    with workbench_of(records, rng) as wb:
        told = wb.item_history("things", {"pk": ""}, prefix=True).df
        assert not told["missing"].any()
        assert set(told["event_id"]) == {record["eventID"] for record in records}
        table: dict[str, dict | None] = {}
        for key, rows in groups(told):
            lives, there = 0, False
            for _, change in by_change(rows):
                item = apply(table.get(key), [difference(row) for row in change if isinstance(row["path"], str)])
                gone = change[0]["event_name"] == "REMOVE"
                lives += not there and not gone
                assert change[0]["life"] == lives
                there, table[key] = not gone, None if gone else item
        items = [canonical_json(json.loads(key) | item) for key, item in table.items() if item is not None]
        assert sorted(items) == states[-1][1]


@given(steps=STEPS, pool=POOL, seed=st.integers(0, 2**32))
@examples(60)
def test_a_lost_change_is_found_unless_its_neighbours_fit_and_nothing_on_a_complete_log(steps, pool, seed):
    rng = random.Random(seed)
    records, _ = history(steps, pool, rng, apart=False)
    if not records:
        return
    lost = rng.choice([None, *records])
    rest = [record for record in records if record is not lost]
    if not rest:
        return
    with workbench_of(rest, rng) as wb:
        told = wb.data_quality("things")
        counts = dict(zip(told.df["finding"], told.df["count"], strict=True))
        chain = [link(record) for record in rest if lost and same_item(record, lost)]
        assert counts["missing changes"] + counts["unseen beginnings"] == (0 if lost is None or fits(chain) else 1)
        assert len(told.gaps) == counts["missing changes"]
        if len(told.gaps):
            gap = told.gaps.iloc[0].to_dict()
            assert key_of(gap) == canonical_change(lost)["keys"]
            assert gap["lost_after"] <= pd.Timestamp(canonical_change(lost)["ts"], tz="UTC") <= gap["lost_before"]


def link(record: dict) -> Link:
    change = canonical_change(record)
    at = pd.Timestamp(change["ts"], tz="UTC")
    return Link(at, change["event_id"], change["old_image"] or ABSENT, change["new_image"] or ABSENT)


def same_item(one: dict, other: dict) -> bool:
    return canonical_change(one)["keys"] == canonical_change(other)["keys"]


def groups(df: pd.DataFrame):
    found: dict[str, list] = {}
    for row in df.to_dict("records"):
        found.setdefault(key_of(row), []).append(row)
    return found.items()


def by_change(rows: list[dict]):
    found: dict[str, list] = {}
    for row in rows:
        found.setdefault(row["event_id"], []).append(row)
    return found.items()
