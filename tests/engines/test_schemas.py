"""What a log's images hold, as each engine finds it out, is what Python reads of all of them."""

from __future__ import annotations

import json

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import attribute_values as made
from tests.helpers.images import written
from tests.helpers.logs import chain, micros, write_log
from workbench import Workbench
from workbench.engines import schemas
from workbench.engines.schemas import schema_of
from workbench.errors import RecordRefused
from workbench.model.attribute_schema import Held, sql_type

ROWS = 700
NOON = micros("2026-01-01T12:00:00")
KEY = {"pk": {"S": "x"}}


@pytest.fixture(scope="module")
def con():
    with duckdb.connect(config={"preserve_insertion_order": False}) as connection:
        yield connection


def of(con, changes) -> Held:
    columns = zip(*changes, strict=True)
    con.register("changes", pa.table([pa.array(column, pa.string()) for column in columns], ["new_image", "old_image"]))
    return schema_of(con, "changes")


def truth(changes) -> Held:
    held = Held()
    for image in (image for change in changes for image in change if image is not None):
        held.add(image)
    return held


@settings(max_examples=60, deadline=None)
@given(st.lists(made.images, min_size=1, max_size=6), st.data())
def test_what_images_hold_is_what_python_reads_of_each(con, images, data):
    """Most rows repeat a few images; some are written in another way, some old ones are not the new ones before."""
    hows = data.draw(st.lists(st.sampled_from([0, 0, 0, 1, 2, 3]), min_size=3, max_size=3))
    texts = [made.written(image, hows[number % 3]) for number, image in enumerate(images)]
    step, gap = data.draw(st.integers(1, 5)), data.draw(st.integers(2, 9))
    changes = []
    for number in range(ROWS):
        new = texts[number * step % len(texts)] if number % gap else None
        old = changes[-1][0] if changes and number % (gap + 1) else texts[number % len(texts)] if number % 2 else None
        changes.append((new, old))
    assert of(con, changes) == truth(changes)


@settings(max_examples=100, deadline=None)
@given(st.lists(written(), min_size=1, max_size=4))
def test_an_image_that_is_none_is_noticed(con, texts):
    """Without names that come twice, of which the one reader takes the first and the other the last."""
    changes = [(text, None) for text in texts] * (ROWS // len(texts))
    try:
        expected = truth(changes)
    except RecordRefused:
        with pytest.raises(RecordRefused):
            of(con, changes)
        return
    assert of(con, changes) == expected


def test_a_map_with_a_name_an_item_is_read_one_by_one(con):
    changes = [(json.dumps({f"k{n}": {"M": {f"n{n}": {"N": str(n)}}}}), None) for n in range(ROWS)]
    assert of(con, changes) == truth(changes)


def test_attributes_that_come_later_are_learned_in_turn(con, monkeypatch):
    monkeypatch.setattr(schemas, "_read_singly", counted(schemas._read_singly, read := []))
    changes = [(json.dumps({"a": {"N": "1"}}, separators=(",", ":")), None)] * 12_000
    changes += [(json.dumps({"a": {"S": "x"}, "b": {"L": [{"N": "1.5"}]}}), None)] * 1_000
    assert of(con, changes) == truth(changes)
    assert sum(read) < 1_000


def counted(function, lengths):
    def count(images, **options):
        lengths.append(len(images))
        return function(images, **options)

    return count


def log_of(folder, *ages):
    changes = [(NOON + number, KEY | ({"age": age} if age else {})) for number, age in enumerate(ages)]
    return write_log(folder, chain(KEY, changes), name=f"{len(list(folder.rglob('*.gz')))}")


@pytest.mark.parametrize("store", [True, False])
def test_a_log_is_looked_through_once_and_is_always_up_to_date(tmp_path, monkeypatch, store):
    home, lake = tmp_path / "home", tmp_path / "lake"
    log_of(lake, {"N": "1"}, {"N": "2.5"})
    first = Workbench(lake, home=home, store=store)._engine
    assert sql_type(first.schema("things").members["age"]) == "decimal(18,1)"
    monkeypatch.setattr("workbench.engines.staging.schema_of", counted_calls(calls := []))
    again = Workbench(lake, home=home, store=store)._engine
    for engine in (first, again):
        assert engine.schema("things").to_json() == first.schema("things").to_json()
    assert len(calls) == (0 if store else 1)
    log_of(lake, {"S": "x"})
    for engine in (first, again):
        held = engine.schema("things").members["age"]
        assert (held.kinds, sql_type(held)) == ({"N": 3, "S": 1}, "varchar")


def counted_calls(calls):
    def count(*given, **options):
        calls.append(given)
        return schema_of(*given, **options)

    return count
