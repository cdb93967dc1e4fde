"""The law of identity: whatever shares a table's name, each table's answers are those of its own history alone."""

from __future__ import annotations

import base64
import random
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.helpers.logs import record, write_log
from tests.helpers.profiles import examples
from tests.properties.test_replay import BASE, EPOCH, delivered, shuffled, twice
from workbench import Workbench
from workbench.errors import ParameterError
from workbench.model.attributes import to_images
from workbench.model.records import canonical_json

PLACES = [("eu-west-1", "111111111111"), ("us-east-1", "111111111111"), ("eu-west-1", "222222222222")]
NAMES = ["pk", "sk", 'q"q', "ö.b", "table_name", "aws_region", "ts", "path", "keys", "_changed_at", "'"]
TABLES = ["orders", "Orders", "or'ders", "a.b-c_d"]
LAYOUTS = ["raw", "joined", "envelope", "parquet"]
VALUES = {"S": ["1", "ö\"'", "a%b_"], "N": ["1", "-2.5", "10"], "B": ["AQ==", "/w==", "AA=="]}
SCHEMA = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from("SNB")), min_size=1, max_size=2, unique_by=lambda each: each[0]
)
# Of a change: which item, what it becomes (None: gone), and how much later.
STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([1, 2, 3, None]), st.sampled_from([1, 1_000, 3_600_000_000])),
    min_size=1,
    max_size=6,
)
# What a table was, one key after the other, and what was written then.
LIVES = st.lists(st.tuples(SCHEMA, STEPS), min_size=1, max_size=2, unique_by=lambda each: str(sorted(each[0])))


@dataclass
class Model:
    """One table, replayed."""

    changes: list[dict[str, Any]] = field(default_factory=list)
    """As a stream of DynamoDB hands them on: binary encoded once."""
    states: list[tuple[datetime, list[str]]] = field(default_factory=list)
    """What is in it after each."""


def replayed(table: str, place: tuple[str, str], lives: list, rng: random.Random) -> Model:
    """Write a history: a table made again begins with nothing."""
    model, now, (region, account) = Model(), BASE + rng.randrange(1_000), place
    arn = f"arn:aws:dynamodb:{region}:{account}:table/{table}/stream/2026-01-01T00:00:00.000"
    for schema, steps in lives:
        there: dict[int, dict] = {}
        keys = [{name: {kind: VALUES[kind][number]} for name, kind in schema} for number in range(3)]
        for which, to, later in steps:
            now += later
            old, new = there.pop(which, None), None if to is None else keys[which] | {"v": {"N": str(to)}}
            if old is None and new is None:
                continue
            if new is not None:
                there[which] = new
            kind = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
            made = record(
                kind, shuffled(keys[which], rng), now, new=new, old=old, table=table, event_id=f"{place}{now}"
            )
            model.changes.append(made | {"awsRegion": region, "eventSourceARN": arn})
            at = EPOCH + timedelta(microseconds=now - BASE)
            model.states.append((at, sorted(map(canonical_json, there.values()))))
    return model


def streamed(change: dict) -> dict:
    """As a stream of DynamoDB hands it on: its ARN alone names the table."""
    return {name: value for name, value in change.items() if name not in ("tableName", "recordFormat")}


def of_kinesis(change: dict) -> dict:
    """As Kinesis hands it on: binary is encoded twice."""
    told = change["dynamodb"]
    images = {name: twice(told[name]) for name in ("Keys", "NewImage", "OldImage") if name in told}
    return change | {"dynamodb": told | images}


def untold(change: dict) -> dict:
    """As older envelopes and raw records have it: without Region and account."""
    return change | {"awsRegion": None, "eventSourceARN": None}


def write(folder: Path, changes: list[dict], rng: random.Random) -> None:
    """Deliver changes of all tables in objects of any layout, in any order, some twice."""
    for number, each in enumerate(delivered(changes, rng)):
        told = all(change["eventSourceARN"] for change in each)
        layout = rng.choice([*LAYOUTS, *["streams"] * told])
        shape = streamed if layout == "streams" else of_kinesis
        write_log(folder, map(shape, each), "raw" if layout == "streams" else layout, f"object {number}")


def plain(typed: dict[str, str]) -> str | bytes:
    ((kind, value),) = typed.items()
    return base64.b64decode(value) if kind == "B" else value


def state(df: pd.DataFrame) -> list[str]:
    return sorted(map(canonical_json, to_images(df)))


def check(wb: Workbench, table: str, model: Model, rng: random.Random) -> None:
    """Hold every answer about one table against its own history."""
    assert state(wb.latest_state(table).df) == model.states[-1][1]
    for at, expected in rng.sample(model.states, min(3, len(model.states))):
        assert state(wb.latest_state(table, as_of=at).df) == expected
    kinds = Counter(change["eventName"] for change in model.changes)
    counts = wb.change_frequency(table, every="1d").df[["inserts", "modifies", "removes"]].sum().tolist()
    assert counts == [kinds["INSERT"], kinds["MODIFY"], kinds["REMOVE"]]
    items = Counter(canonical_json(change["dynamodb"]["Keys"]) for change in model.changes)
    assert sorted(wb.change_frequency(table, by="key").df["changes"]) == sorted(items.values())
    asked = {name: plain(value) for name, value in rng.choice(model.changes)["dynamodb"]["Keys"].items()}
    wanted = {
        change["eventID"]
        for change in model.changes
        if asked == {name: plain(value) for name, value in change["dynamodb"]["Keys"].items() if name in asked}
    }
    told = wb.item_history(table, asked).df
    assert set(told["event_id"]) == wanted
    assert not told["missing"].any()


def drawn(found: dict[tuple[str, tuple[str, str]], list], rng: random.Random) -> tuple[dict, list[dict]]:
    """Replay every table that changes, and say which Region and account `tables` must give it."""
    models: dict[tuple[str, tuple[str, str]], Model] = {}
    for (table, place), lives in found.items():
        if (model := replayed(table, place, lives, rng)).changes:
            models[table, place] = model
    changes = []
    for (table, _), model in models.items():
        alone = sum(other == table for other, _ in models) == 1
        sent = [untold(change) if alone and rng.random() < 0.2 else change for change in model.changes]
        if not any(change["awsRegion"] for change in sent):
            sent = model.changes
        changes += sent
    return models, changes


TABLES_DRAWN = st.dictionaries(
    st.tuples(st.sampled_from(TABLES), st.sampled_from(PLACES)), LIVES, min_size=1, max_size=3
)


@given(found=TABLES_DRAWN, seed=st.integers(0, 2**32))
@examples(15)
def test_every_table_of_a_log_is_answered_as_if_it_were_alone(found, seed):
    rng = random.Random(seed)
    models, changes = drawn(found, rng)
    if not changes:
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), changes, rng)
        wb = Workbench(folder, checkpoints="off")
        listed = wb.tables()[["table", "aws_region", "account_id"]].itertuples(index=False, name=None)
        assert sorted(listed) == sorted((table, *place) for table, place in models)
        for (table, (region, account)), model in models.items():
            several = sum(other == table for other, _ in models) > 1
            event("several of one name" if several else "one of its name")
            if not several:
                check(wb, table, model, rng)
                continue
            with pytest.raises(ParameterError, match=r"is a table of 2 Regions|is a table of [23] accounts"):
                wb.latest_state(table)
            chosen = Workbench(folder, checkpoints="off", log_region=region, log_account=account)
            check(chosen, table, model, rng)
            chosen.close()
        wb.close()
