"""The laws of transitions and trends: they are what a replay of the items' states gives, whatever came when."""

from __future__ import annotations

import itertools
import json
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.helpers.logs import write_log
from tests.helpers.profiles import examples
from tests.properties.test_checkpoint import when
from tests.properties.test_replay import STEP, delivered, history
from workbench import Workbench
from workbench.model import times

STATUS = st.sampled_from([{"S": "new"}, {"S": "paid"}, {"S": ""}, {"S": "1"}, {"N": "1"}, {"NULL": True}, None])
AMOUNT = st.sampled_from(["0", "1", "-2.5", "0.10", "7", "12345678901234567890123456789", "1E+3", None])
IMAGE = st.tuples(STATUS, AMOUNT, st.sampled_from(["ann", "bob"]), st.integers(0, 3)).map(
    lambda each: {
        **({"status": each[0]} if each[0] else {}),
        **({"amount": {"N": each[1]}} if each[1] else {}),
        "who": {"S": each[2]},
        "version": {"N": str(each[3])},
    }
)
HISTORY = {
    "steps": st.lists(STEP, min_size=1, max_size=14),
    "pool": st.lists(IMAGE, min_size=3, max_size=3, unique_by=str),
    "seed": st.integers(0, 2**32 - 1),
}
KNOWN = {"status": {"S": "known"}, "amount": {"N": "0.01"}, "who": {"S": "cyd"}, "version": {"N": "0"}}
"""What an item has that is there throughout, so that each attribute is one of the log's."""


def written(folder: str, steps: list, pool: list, rng: random.Random) -> tuple[Workbench, list[dict], list]:
    """Write a history, and return its records and its states; one item of another key is there throughout."""
    records, states = history(
        [(2, 0, 0), *((which % 2, to, later) for which, to, later in steps)], [KNOWN, *pool], rng, apart=False
    )
    for number, each in enumerate(delivered(records, rng)):
        write_log(Path(folder, "log"), each, rng.choice(["raw", "envelope", "parquet"]), f"object {number}")
    return Workbench(Path(folder, "log"), home=Path(folder, "home"), numbers="decimal"), records, states


def text_of(image: dict[str, Any], name: str) -> str | None:
    """Return a text or number of an image as text."""
    ((kind, value),) = image.get(name, {"NULL": True}).items()
    return None if kind == "NULL" else str(value)


def stays_of(states: list, name: str) -> Iterator[tuple[str, list[tuple[int, str | None]]]]:
    """Yield, for each item, when it began to have which text at an attribute; None is that it has none."""
    keys = {key(json.loads(image)) for _, images in states for image in images}
    for each in sorted(keys):
        at: list[tuple[int, str | None]] = []
        for moment, images in states:
            of_item = [image for image in map(json.loads, images) if key(image) == each]
            value = text_of(of_item[0], name) if of_item else None
            if value != (at[-1][1] if at else None):
                at.append((moment, value))
        yield each, at


def key(image: dict[str, Any]) -> str:
    return json.dumps({name: image[name] for name in ("pk", "sk")})


def least(lengths: list[int], share: Fraction) -> timedelta | None:
    """Return the length that a share of some are no longer than."""
    ordered = sorted(lengths)
    return (
        timedelta(microseconds=ordered[-(-len(ordered) * share.numerator // share.denominator) - 1])
        if ordered
        else None
    )


@given(**HISTORY, cut=st.booleans())
@examples(40)
def test_transitions_are_those_of_the_replayed_states(steps, pool, seed, cut):
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        wb, records, states = written(folder, steps, pool, rng)
        moments = [moment for moment, _ in states]
        start, end = sorted(rng.choices([*moments, moments[-1] + 1], k=2)) if cut else (0, 2**62)
        window = {"start": when(start), "end": when(end)} if cut and start < end else {}
        start, end = (start, end) if window else (0, 2**62)
        removed = {
            (json.dumps({name: each["dynamodb"]["Keys"][name] for name in ("pk", "sk")}), moment)
            for each in records
            if each.get("userIdentity")
            for moment in [each["dynamodb"]["ApproximateCreationDateTime"]]
        }
        removed -= {(key(json.loads(image)), moment) for moment, images in states for image in images}  # it came back
        moves, there = defaultdict(list), defaultdict(list)
        for item, at in stays_of([state for state in states if state[0] < end], "status"):
            for (began, value), (moment, other) in itertools.pairwise(at):
                if start <= moment:
                    moves[value, other].append((item, moment, moment - began))
            if at and at[0][0] >= start:
                moves[None, at[0][1]].append((item, at[0][0], None))
            if at and at[-1][1] is not None:
                there[at[-1][1]].append((at[-1][0], item))
        result = wb.transitions("things", "status", limit=1, **window)
        found = {
            tuple(None if pd.isna(row[name]) else row[name] for name in ("from", "to")): row
            for row in result.df.to_dict("records")
        }
        assert found.keys() == moves.keys()
        for pair, made in moves.items():
            row, lengths = found[pair], [length for *_, length in made if length is not None]
            assert row["moves"] == len(made)
            assert row["items"] == len({item for item, *_ in made})
            for name, share in (("median", Fraction(1, 2)), ("p90", Fraction(9, 10))):
                assert (None if pd.isna(row[name]) else row[name]) == least(lengths, share)
            assert row["first_move"] == when(min(moment for _, moment, _ in made))
            assert row["last_move"] == when(max(moment for _, moment, _ in made))
            assert row["by_ttl"] == sum((item, moment) in removed for item, moment, _ in made)
            event(f"by TTL: {row['by_ttl'] > 0}")
        longest = {row["value"]: row for row in result.longest.to_dict("records")}
        assert longest.keys() == there.keys()
        for value, items in there.items():
            assert longest[value]["since"] == when(min(items)[0])
            assert longest[value]["items"] == len(items)
            assert (
                longest[value]["age"] == (when(end) if window else times.now()) - longest[value]["since"] or not window
            )
        wb.close()


AGGREGATES = {
    "count(*)": lambda cells, images: len(images),
    "count(amount)": lambda cells, images: len(cells),
    "count(distinct amount)": lambda cells, images: len(set(cells)),
    "sum(amount)": lambda cells, images: sum(map(Fraction, cells)) if cells else None,
    "avg(amount)": lambda cells, images: float(sum(map(Fraction, cells)) / len(cells)) if cells else None,
    "min(amount)": lambda cells, images: min(cells, default=None),
    "max(amount)": lambda cells, images: max(cells, default=None),
    "median(amount)": lambda cells, images: median(map(Fraction, cells)) if cells else None,
    "max(status)": lambda cells, images: max(
        filter(None.__ne__, (text_of(each, "status") for each in images)), default=None
    ),
    "sum(version + amount)": lambda cells, images: (
        sum(
            Fraction(text_of(each, "version")) + Fraction(text_of(each, "amount"))
            for each in images
            if "amount" in each
        )
        if cells
        else None
    ),
}


@given(
    **HISTORY,
    aggregate=st.sampled_from(sorted(AGGREGATES)),
    by=st.sampled_from([None, "who", "status"]),
    where=st.sampled_from([None, "who = 'ann'", "version >= 2"]),
    every=st.sampled_from(["1h", "3h", "1d"]),
    cut=st.booleans(),
)
@examples(60)
def test_a_trend_is_the_aggregate_over_the_state_at_the_end_of_every_bucket(
    steps, pool, seed, aggregate, by, where, every, cut
):
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        wb, _, states = written(folder, steps, pool, rng)
        moments = [moment for moment, _ in states]
        moved = [at for (at, images), (_, before) in zip(states, [(0, []), *states], strict=False) if images != before]
        start = when(rng.choice(moments)) if cut else None
        end = start + timedelta(hours=rng.choice([1, 7, 50])) if cut and rng.random() < 0.5 else None
        df = wb.trend("things", aggregate, every=every, by=by, where=where, start=start, end=end).df
        widths = {"1h": timedelta(hours=1), "3h": timedelta(hours=3), "1d": timedelta(days=1)}
        expected: dict[tuple[datetime, str | None], tuple[Any, int]] = {}
        for bucket in dict.fromkeys(df["bucket"]):
            at = min(bucket + widths[every], end) if end else bucket + widths[every]
            images = next((images for moment, images in reversed(states) if when(moment) < at), [])
            for group, of_group in grouped(images, by, where).items():
                cells = [Decimal(each) for each in (text_of(image, "amount") for image in of_group) if each is not None]
                expected[bucket, group] = AGGREGATES[aggregate](cells, of_group), len(of_group)
        found = {
            (row.bucket, None if by is None or pd.isna(row.belongs_to) else row.belongs_to): row
            for row in df.itertuples()
        }
        for place, row in found.items():
            value, items = expected.get(place, (0 if aggregate.startswith("count") else None, 0))
            assert row.items == items
            told = None if pd.isna(row.value) else row.value
            assert (Fraction(told) if isinstance(value, Fraction | Decimal) and told is not None else told) == value
        assert expected.keys() <= found.keys()
        assert Counter(bucket for bucket, _ in found) == Counter(
            {each: len({group for _, group in found}) for each, _ in found}
        )
        first, last = (start or when(moments[0])), (end - timedelta(microseconds=1) if end else when(moved[-1]))
        if where is None:
            assert df["bucket"].min() <= first
            assert last < df["bucket"].max() + widths[every]
        wb.close()


def grouped(images: list[str], by: str | None, where: str | None) -> dict[str | None, list[dict[str, Any]]]:
    """Return the images of which a condition holds, by group."""
    holds = {None: lambda image: True, "who = 'ann'": lambda image: image["who"] == {"S": "ann"}}
    holds["version >= 2"] = lambda image: int(image["version"]["N"]) >= 2
    groups = defaultdict(list)
    for image in filter(holds[where], map(json.loads, images)):
        groups[None if by is None else text_of(image, by)].append(image)
    return groups


@given(**HISTORY)
@examples(25)
def test_a_profile_counts_what_the_replayed_states_hold_then_and_now(steps, pool, seed):
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        wb, _, states = written(folder, steps, pool, rng)
        moment, before = rng.choice(states)
        result = wb.profile("things", ["status", "amount"], against=when(moment), limit=100)
        df = result.df.set_index("path")
        for side, images in (("", states[-1][1]), ("_before", before)):
            items = list(map(json.loads, images))
            for name in ("status", "amount"):
                row, kinds = df.loc[name], Counter(kind for each in items for kind in each.get(name, {"": 0}))
                assert row[f"items{side}"] == len(items)
                assert row[f"absent{side}"] == pytest.approx(kinds[""] / len(items))
                assert row[f"null{side}"] == pytest.approx(kinds["NULL"] / len(items))
                assert set(filter(None, row[f"types{side}"].split(", "))) == set(kinds) - {"", "NULL"}
                cells = Counter((next(iter(each[name])), text_of(each, name)) for each in items if name in each)
                told = result.values[result.values["path"] == name]
                found = {
                    (each["type"], Fraction(each["value"]) if name == "amount" else each["value"]): each[f"share{side}"]
                    for each in told.to_dict("records")
                    if each[f"share{side}"]
                }
                wanted = {
                    (kind, Fraction(value) if name == "amount" else value): many / len(items)
                    for (kind, value), many in cells.items()
                    if value is not None
                }
                assert found == pytest.approx(wanted)
                assert row[f"different{side}"] == len(wanted)
            numbers = sorted(Fraction(value) for each in items if (value := text_of(each, "amount")) is not None)
            places = {"least": 0, "median": (len(numbers) - 1) // 2, "most": -1}
            for each, place in places.items():
                cell = df.loc["amount", f"{each}{side}"]
                assert (None if pd.isna(cell) else Fraction(str(cell))) == (numbers[place] if numbers else None)
        shares = [
            Counter(json.dumps(json.loads(image).get("status")) for image in images)
            for images in (states[-1][1], before)
        ]
        sizes = [sum(each.values()) for each in shares]
        apart = (
            sum(abs(shares[0][each] / sizes[0] - shares[1][each] / sizes[1]) for each in {*shares[0], *shares[1]}) / 2
        )
        assert df.loc["status", "moved"] == pytest.approx(apart)
        wb.close()
