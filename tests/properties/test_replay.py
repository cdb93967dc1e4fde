"""The law: a log replayed in any order, with any duplicates, in any layout, gives the table that made it."""

from __future__ import annotations

import base64
import json
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.logs import record, write_log
from tests.helpers.profiles import examples
from workbench import Workbench
from workbench.model.attributes import to_images
from workbench.model.records import canonical_json

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
BASE = int(EPOCH.timestamp()) * 1_000_000

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6)
NUMBER = st.one_of(st.integers(-(10**37), 10**37).map(str), st.sampled_from(["0", "1.5", "-0.001", "1E+40", "2.50E-7"]))
BINARY = st.binary(max_size=5).map(lambda raw: base64.b64encode(raw).decode())
VALUE = st.recursive(
    st.one_of(
        TEXT.map(lambda v: {"S": v}),
        NUMBER.map(lambda v: {"N": v}),
        BINARY.map(lambda v: {"B": v}),
        st.booleans().map(lambda v: {"BOOL": v}),
        st.just({"NULL": True}),
        st.lists(TEXT, min_size=1, max_size=3, unique=True).map(lambda v: {"SS": v}),
        st.lists(st.integers(-99, 99).map(str), min_size=1, max_size=3, unique=True).map(lambda v: {"NS": v}),
        st.lists(BINARY, min_size=1, max_size=3, unique=True).map(lambda v: {"BS": v}),
    ),
    lambda inner: st.one_of(
        st.dictionaries(TEXT, inner, max_size=3).map(lambda v: {"M": v}),
        st.lists(inner, max_size=3).map(lambda v: {"L": v}),
    ),
    max_leaves=4,
)
IMAGE = st.dictionaries(st.sampled_from(["a", "b.c", 'q"q', "ö", "_changed_at", "m"]), VALUE, max_size=3)
KEYS = [
    {"pk": {"S": "x"}, "sk": {"N": "1"}},
    {"pk": {"S": "x"}, "sk": {"N": "10"}},
    {"pk": {"S": 'ö"\\\n'}, "sk": {"N": "-2.5"}},
]
# One step of a history: which item, what it becomes (one of a few images, or gone), and how much later.
STEP = st.tuples(
    st.sampled_from([0, 0, 1, 2]), st.sampled_from([0, 1, 2, None]), st.sampled_from([0, 0, 1, 1_000, 7_200_000_000])
)


def history(
    steps: list[tuple[int, int | None, int]], pool: list[dict], rng: random.Random, apart: bool
) -> tuple[list, list]:
    """Make the records of a history, and the table after each instant: (microseconds, {key: canonical image})."""
    now, table, records, states = BASE, {}, [], []
    for number, (which, to, later) in enumerate(steps):
        now += max(later, 1) if apart else later
        key, old = KEYS[which], table.get(which)
        new = None if to is None else KEYS[which] | pool[to]
        if old is None and new is None:
            continue
        event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        ttl = event == "REMOVE" and rng.random() < 0.3
        records.append(
            record(
                event,
                shuffled(key, rng),
                now,
                new=new and twice(shuffled(new, rng)),
                old=old and twice(shuffled(old, rng)),
                event_id=f"{rng.random()}-{number}",
                ttl=ttl,
            )
        )
        table = {**table, which: new} if new is not None else {k: v for k, v in table.items() if k != which}
        state = sorted(canonical_json(image) for image in table.values())
        if states and states[-1][0] == now:
            states.pop()
        states.append((now, state))
    return records, states


def shuffled(value: Any, rng: random.Random) -> Any:
    """The same image with its names and set members in another order, as DynamoDB may send it."""
    if isinstance(value, dict):
        names = rng.sample(sorted(value), len(value))
        return {
            name: shuffled(
                sorted(value[name], key=lambda _: rng.random())
                if name in ("SS", "NS", "BS") and isinstance(value[name], list)
                else value[name],
                rng,
            )
            for name in names
        }
    return [shuffled(element, rng) for element in value] if isinstance(value, list) else value


def twice(image: dict[str, Any]) -> dict[str, Any]:
    """Encode binary a second time."""

    def value(tagged: dict[str, Any]) -> dict[str, Any]:
        ((kind, inner),) = tagged.items()
        if kind == "B":
            return {"B": base64.b64encode(inner.encode()).decode()}
        if kind == "BS":
            return {"BS": [base64.b64encode(member.encode()).decode() for member in inner]}
        if kind == "M":
            return {"M": twice(inner)}
        return {"L": [value(element) for element in inner]} if kind == "L" else tagged

    return {name: value(tagged) for name, tagged in image.items()}


def delivered(records: list[dict], rng: random.Random) -> list[list[dict]]:
    """Deliver in any order, some twice, over up to three objects."""
    sent = records + rng.choices(records, k=rng.randrange(len(records) + 1))
    rng.shuffle(sent)
    objects: list[list[dict]] = [[], [], []]
    for each in sent:
        objects[rng.randrange(3)].append(each)
    return [each for each in objects if each]


def answered(wb: Workbench, as_of: datetime | None = None) -> list[str]:
    df = wb.latest_state("things", as_of=as_of).df
    return sorted(canonical_json(image) for image in to_images(df))


@pytest.mark.parametrize("layout", ["raw", "joined", "envelope", "parquet", "mixed"])
@given(
    steps=st.lists(STEP, min_size=1, max_size=14),
    pool=st.lists(IMAGE, min_size=3, max_size=3, unique_by=str),
    seed=st.integers(0, 2**32),
)
@examples(25)
def test_any_delivery_of_a_history_gives_at_every_instant_the_table_that_made_it(layout, steps, pool, seed):
    rng = random.Random(seed)
    records, states = history(steps, pool, rng, apart=False)
    if not records:
        return
    with tempfile.TemporaryDirectory() as folder:
        kinds = ["raw", "joined", "envelope", "parquet"]
        for number, each in enumerate(delivered(records, rng)):
            write_log(Path(folder), each, rng.choice(kinds) if layout == "mixed" else layout, f"object {number}[*]")
        wb = Workbench(folder)
        assert answered(wb) == states[-1][1]
        for at, state in states:
            assert answered(wb, EPOCH + timedelta(microseconds=at - BASE)) == state
        before = wb.latest_state("things", as_of=EPOCH - timedelta(microseconds=1)).df
        assert before.empty
        assert list(before.columns) == list(wb.latest_state("things").df.columns)
        wb.close()


@given(
    steps=st.lists(STEP, min_size=1, max_size=12),
    numbers=st.lists(NUMBER, min_size=3, max_size=3, unique=True),
    seed=st.integers(0, 2**32),
)
@examples(20)
def test_a_flat_log_without_ties_gives_at_every_instant_the_table_that_made_it(steps, numbers, seed):
    rng = random.Random(seed)
    records, states = history(steps, [{"text": {"S": number}} for number in numbers], rng, apart=True)
    if not records:
        return
    with tempfile.TemporaryDirectory() as folder:
        for number, each in enumerate(delivered(records, rng)):
            write_log(Path(folder), each, "flat", f"object {number}")
        wb = Workbench(folder)
        for at, state in states:
            df = wb.latest_state("things", as_of=EPOCH + timedelta(microseconds=at - BASE)).df
            texts = sorted(json.loads(image)["text"]["S"] for image in state)
            assert sorted(df["text"]) == texts if texts else df.empty
        wb.close()
