"""A large answer is made in parts and is the same: its frame, what is written of it, and what a mask leaves to be seen."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engines import images as engine_images
from workbench.engines.images import FEW
from workbench.model import attributes
from workbench.questions import gathering, spool, writers
from workbench.questions.gathering import Changes, Items
from workbench.questions.large import LargeFrame

NOON = pd.Timestamp("2026-11-18T12:00")
KINDS = ("parquet", "csv", "json", "xlsx")

numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(-1000, 1000, places=2).map(str),
    st.sampled_from(["-0", "1.50", "1E2", "1E-130", "007", "9007199254740993", "0.1234567890123456789"]),
)
scalars = st.one_of(
    numbers.map(lambda text: {"N": text}),
    st.text('ab"\\é,=', max_size=4).map(lambda text: {"S": text}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
    st.sampled_from([{"NULL": True}, {"B": "/w=="}, {"M": {}}, {"L": []}]),
    st.lists(numbers, min_size=1, max_size=3).map(lambda texts: {"NS": texts}),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(lambda texts: {"SS": texts}),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: {"L": each})
        | st.dictionaries(st.sampled_from(["a", "b", "c.d", ""]), inner, max_size=3).map(lambda each: {"M": each})
    ),
    max_leaves=4,
)
anything = st.dictionaries(st.sampled_from(["n", "m", "b.c", "z"]), values, max_size=3)
of_numbers = st.dictionaries(st.sampled_from(["n", "m"]), numbers.map(lambda text: {"N": text}), max_size=2)
of_lists = st.dictionaries(
    st.sampled_from(["n", "m"]), st.lists(scalars, max_size=2).map(lambda each: {"L": each}), max_size=2
)
images = st.sampled_from([anything, of_numbers, of_lists])


keys_of_any_type = numbers.map(lambda text: {"N": text}) | st.sampled_from([{"S": "a"}, {"S": "b"}, {"B": "YQ=="}])


@st.composite
def batches(draw, *, once: bool = False):
    """Some changes, as an engine hands them over: in batches, in any order; of each item `once`, or any number."""
    image = draw(images)
    rows = []
    for number in range(draw(st.integers(0, 8))):
        own = {"N": str(7 * number % 10)} if draw(st.booleans()) else {"S": f"p-{7 * number % 10}"}
        keys = {"pk": own if once else draw(keys_of_any_type)}
        new, old = (draw(st.none() | image.map(keys.__or__)) for _ in range(2))
        rows.append(
            {
                "keys": json.dumps(keys, separators=(",", ":")),
                "ts": NOON + timedelta(seconds=draw(st.integers(0, 3))),
                "event_id": str(number),
                "event_name": "MODIFY",
                "by_ttl": draw(st.booleans()),
                "size_bytes": draw(st.none() | st.integers(0, 9)),
                "new_image": None if new is None else json.dumps(new, ensure_ascii=False),
                "old_image": None if old is None else json.dumps(old, ensure_ascii=False),
            }
        )
    table = pa.Table.from_pylist(
        rows, schema=pa.schema([(name, gathering._CHANGE.get(name, pa.string())) for name in ROW])
    )
    cuts = sorted(draw(st.sets(st.integers(0, len(rows)), max_size=3)))
    return [table.slice(a, b - a) for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]


ROW = ("keys", "ts", "event_id", "event_name", "by_ttl", "size_bytes", "new_image", "old_image")


def gathered(parts, make, part: int, held: int):
    """The frame of rows, made so many rows at a time, after those that do not fit in memory went to disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathering, "PART", part)
        patch.setattr(spool, "_HELD", held)
        patch.setattr(spool, "_CHUNK", 2)
        patch.setattr(engine_images, "FEW", FEW if held else 0)
        collected = make()
        for rows in parts:
            collected.add(rows)
        return collected.frame(["pk"])


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    for name in one:
        assert list(map(repr, one[name])) == list(map(repr, other[name])), name


@settings(deadline=None, max_examples=60)
@given(batches(), st.sampled_from(["auto", "decimal"]))
def test_changes_made_in_parts_are_those_made_at_once(parts, numbers):
    make = partial(Changes, numbers=numbers)
    whole, large = gathered(parts, make, 1000, 1 << 20), gathered(parts, make, 2, 0)
    same(large.whole() if isinstance(large, LargeFrame) else large, whole)
    rows = pa.concat_tables(parts)
    for side in ("new", "old"):
        of_side = whole.sort_values("event_id", ignore_index=True).filter(regex=rf"^{side}\.")
        images = rows.sort_by("event_id").column(f"{side}_image").fill_null("{}").to_pylist()
        if len(of_side.columns):
            same(of_side, attributes.frame(images, numbers=numbers).add_prefix(f"{side}."))
    if isinstance(large, LargeFrame):
        for part in large:
            assert part.dtypes.to_list() == whole.dtypes.to_list()


@settings(deadline=None, max_examples=60)
@given(batches(once=True), st.booleans())
def test_items_made_in_parts_are_those_made_at_once(parts, include_deleted):
    parts = [rows.rename_columns(["image" if name == "new_image" else name for name in ROW]) for rows in parts]
    make = partial(Items, ["pk"], numbers="auto", include_deleted=include_deleted)
    whole, large = gathered(parts, make, 1000, 1 << 20), gathered(parts, make, 2, 0)
    same(large.whole() if isinstance(large, LargeFrame) else large, whole)
    rows = pa.concat_tables(parts).to_pylist()
    keys = sorted((read_key(row["keys"]) for row in rows), key=lambda key: (isinstance(key, str), key))
    assert whole["pk"].to_list() == keys


def read_key(text):
    ((kind, value),) = json.loads(text)["pk"].items()
    return int(value) if kind == "N" else value


def read(path):
    """What a reader of the format finds."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return table.schema.to_string(), table.to_pylist()
    if path.suffix == ".xlsx":
        return [[(cell.value, cell.data_type) for cell in row] for row in openpyxl.load_workbook(path).active]
    return path.read_bytes()


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=25)
@given(parts=batches())
def test_a_file_of_parts_is_that_of_the_whole(tmp_path_factory, kind, nested, parts):
    folder = tmp_path_factory.mktemp("files")
    make = partial(Changes, numbers="auto")
    whole, large = gathered(parts, make, 1000, 1 << 20), gathered(parts, make, 2, 0)
    files = [
        writers.write(each, folder / f"{name}.{kind}", nested=nested, meta={})
        for name, each in (("a", whole), ("b", large))
    ]
    one, other = map(read, files)
    assert one == other
    about = [json.loads(writers.sidecar_of(file).read_text()) for file in files]
    assert about[0]["columns"] == about[1]["columns"]
    assert about[0]["rows"] == about[1]["rows"]
