"""What happened to the items of chosen changes: against the changes themselves, by both texts of the question."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.helpers import lakes
from tests.helpers.lakes import START
from workbench import Workbench
from workbench.engines.base import as_question, matching
from workbench.engines.duckdb import _decoded
from workbench.model.conditions import CHANGES, holds, parse
from workbench.model.times import END_OF_TIME, START_OF_TIME
from workbench.sql.dialects import to_duckdb
from workbench.sql.filters import Filter

CONDITION = parse("new.name like '%a%' or old.age is absent", CHANGES)
FILTERS = {
    "every change": Filter(),
    "of a condition": Filter(condition=CONDITION),
    "of an event": Filter(events=("REMOVE",)),
    "of an item": Filter(keys=('{"pk":{"S":"p-1"},"sk":{"N":"1"}}',)),
    "none": Filter(nothing=True),
}
WINDOWS = {
    "of all time": {},
    "in a window": {"start": START + timedelta(hours=7), "end": START + timedelta(days=1)},
    "until then": {"end": START + timedelta(hours=20), "until": START + timedelta(days=1)},
    "first instants": {"start": START + timedelta(hours=17), "first": True},
}


@pytest.fixture(scope="module")
def wb(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    lakes.write(folder, lakes.records(3, 240), "envelope")
    return Workbench(folder)


def matches(where: Filter, row: dict) -> bool:
    new, old = (row[name] and json.loads(row[name]) for name in ("new_image", "old_image"))
    return (
        not where.nothing
        and (not where.keys or row["keys"] in where.keys)
        and (not where.events or row["event_name"] in where.events)
        and (where.condition is None or holds(where.condition, new, old))
    )


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", FILTERS)
def test_it_is_all_that_followed_the_first_chosen_change_of_each_item(wb, name, window):
    where, values = FILTERS[name], WINDOWS[window]
    start, end = values.get("start", START_OF_TIME), values.get("end", END_OF_TIME)
    until = values.get("until", END_OF_TIME)
    every = wb._engine.ask("changes", "things", start=start, end=until).rows.to_pylist()
    naive_end = end.replace(tzinfo=None)
    chosen = [row for row in every if row["ts"] < naive_end and matches(where, row)]
    since: dict = {}
    for row in sorted(chosen, key=lambda row: row["ts"]):
        since.setdefault(row["keys"], row["ts"])
    expected = [
        row | {"chosen": row in chosen, "others": None}
        for row in every
        if row["keys"] in since
        and (row["ts"] == since[row["keys"]] if values.get("first") else row["ts"] >= since[row["keys"]])
    ]
    instants = {row["ts"] for row in chosen}
    others = {row["keys"] for row in every if row["ts"] in instants and row["keys"] not in since}

    question, engine = as_question("chosen_chains"), wb._engine
    log = engine._log(engine._source_of("things"))
    text = question.compose(values | {"examples": 2}, deliveries=log.deliveries(), matching=matching(question, where))
    as_athena_is_asked = _decoded(engine._con.sql(to_duckdb(text)).to_arrow_table())
    for rows in (engine.ask("chosen_chains", "things", where=where, examples=2, **values).rows, as_athena_is_asked):
        found = rows.to_pylist()
        named = [row for row in found if row["others"] is not None]
        assert sorted((row for row in found if row["others"] is None), key=str) == sorted(expected, key=str)
        assert len(named) == min(2, len(others))
        assert all(row["others"] == len(others) and row["keys"] in others for row in named)
