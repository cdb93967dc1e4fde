"""Columns of images decoded by DuckDB, and the walk over each image's JSON that says what they must be."""

from __future__ import annotations

import json
from collections.abc import Callable

import orjson
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.helpers.images import damaged, names, written
from workbench.engines import images
from workbench.engines.images import Reader, frame
from workbench.errors import RecordRefused
from workbench.model import attributes
from workbench.model.attributes import Gathered
from workbench.sql.attributes import Leaf


def outcome(read: Callable[[], pd.DataFrame]) -> object:
    """All that can be told of a frame, or of the refusal to make one."""
    try:
        df = read()
    except RecordRefused as refused:
        return str(refused)
    cells = {}
    for name in df.columns:
        column = df[name]
        cells[name] = column.to_numpy().tobytes() if column.dtype.kind == "f" else [*map(_cell, column.tolist())]
    return [*df.columns], [*map(repr, df.dtypes)], repr(df.index), cells


def _cell(value: object) -> object:
    if isinstance(value, list):
        return list, [*map(_cell, value)]
    if isinstance(value, dict):
        return dict, [(name, _cell(inner)) for name, inner in value.items()]
    if isinstance(value, frozenset):
        return frozenset, {(type(each), each) for each in value}
    return type(value), str(value)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let DuckDB decode however few images there are."""
    monkeypatch.setattr(images, "FEW", 1)


often = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@often
@given(
    st.lists(written() | damaged(), min_size=1, max_size=8),
    st.sampled_from([(), ("pk",), ("b", "a")]),
    st.sampled_from(["auto", "decimal"]),
    st.sampled_from([1, 2, 200]),
)
@example(['{"a":{"M":[{"S":"x"}    ]}}', '{"a":{"M":{"0":{"S":"x"}}}}'], (), "auto", 200)
@example(['{"a":{"S":"x"},}'], (), "auto", 200)
@example(['{"a":{"S":"x","N":"1"}      }', '{"a":{"S":"x"}}', '{"a":{"N":"1"}}'], (), "auto", 200)
@example(['{"a":{"NS":[1e20]},"zzzz":{"S":"1"}}', '{"a":{"NS":["1"]}}'], (), "auto", 200)
@example(['{"a":{"S":"x"},"a":{"S":"y"}}', '{"a":{"S":null}}', '{"a":{"S":1}}'], (), "auto", 200)
@example(["{", "{}"], (), "auto", 200)
def test_a_frame_is_the_one_that_a_walk_over_each_image_makes(decoded, monkeypatch, several, keys, numbers, sample):
    monkeypatch.setattr(images, "_SAMPLE", sample)
    column = pa.chunked_array([several[:3], several[3:]], pa.string())
    fast = outcome(lambda: frame(column, keys=keys, numbers=numbers))
    assert fast == outcome(lambda: attributes.frame(several, keys=keys, numbers=numbers))


@often
@given(st.lists(written(), min_size=1, max_size=3), st.lists(damaged(), min_size=1, max_size=40), st.randoms())
def test_what_is_proven_of_an_image_is_all_it_holds(some, others, random):
    for text in [*some]:
        cut = random.randrange(len(text) + 1)
        others.append(text[:cut] + random.choice([*'{}[]",: 0', ""]) + text[cut + random.randrange(2) :])
    root = Gathered()
    for row, text in enumerate([*some, *others]):
        try:
            root.add(text, row)
        except RecordRefused:
            continue
    leaves = [leaf for path, at in root.leaves() for kind in at.kinds if (leaf := Leaf(path, kind)).readable]
    with Reader(leaves, threads=1) as reader:
        parts, rest = reader.read(pa.chunked_array([[*some, *others]], pa.string()))
    proven = 0
    for part in parts:
        for at, row in enumerate(part.rows.tolist()):
            found = {leaf: column[at].as_py() for leaf, column in part.leaves.items() if column[at].is_valid}
            held = Gathered()
            held.add([*some, *others][row], 0)
            kinds = [
                (path, kind, gathered.kinds[kind][1]) for path, gathered in held.leaves() for kind in gathered.kinds
            ]
            assert {leaf: [orjson.loads(text)] for leaf, text in found.items()} == {
                Leaf(path, kind): values for path, kind, values in kinds
            }
            proven += 1
    assert proven + len(rest) == len(some) + len(others)


@pytest.mark.parametrize(
    ("image", "leaves"),
    [
        ('{"a":{"M":[{"S":"x"}    ]}}', ["a 0 S"]),
        ('[{"S":"x"}    ]', ["0 S"]),
        ('{"a":{"S":"x","N":"1"}      }', ["a S", "a N"]),
        ('{"a":{"S":"x","M":{"b":{"S":"y"}}}      }', ["a S", "a b S"]),
        ('{"a":{"NS":[1e20]}                   }', ["a NS"]),
        ('{"a":{"L":[1e20]}                   }', ["a L"]),
        ('{"a":{"S":1e20}                   }', ["a S"]),
        ('{"a":{"S":"x"}}{}', ["a S"]),
        ('{"a":{"S":"x"},}', ["a S"]),
        ('{"a":{"S":null}}', ["a S"]),
        ('{"a":{"BOOL":"x"}}', ["a BOOL"]),
        ('{"a":{"M":"x"}}', ["a M"]),
        ("{", ["a S"]),
        ("", ["a S"]),
    ],
)
def test_what_is_no_image_is_not_proven_though_its_length_fits(image, leaves):
    known = [Leaf(tuple(names), kind) for *names, kind in map(str.split, leaves)]
    with Reader(known, threads=1) as reader:
        assert reader.read(pa.chunked_array([[image]], pa.string()))[1].tolist() == [0]


@given(
    st.lists(
        st.dictionaries(names.filter(lambda name: name != "\0"), st.sampled_from(["1", "x"]), min_size=1), min_size=1
    )
)
def test_an_image_in_its_shortest_form_is_proven_whatever_its_names(several):
    column = pa.chunked_array(
        [
            [
                json.dumps(
                    {name: {"S": text} for name, text in image.items()}, ensure_ascii=False, separators=(",", ":")
                )
                for image in several
            ]
        ]
    )
    with Reader(threads=1) as reader:
        assert not len(reader.read(column)[1])


def test_no_two_cells_share_a_list_or_a_map(decoded):
    df = frame(pa.chunked_array([['{"l":{"L":[{"M":{"a":{"L":[]}}}]},"m":{"M":{}}}'] * 3]))
    assert df["l"].tolist() == [[{"a": []}]] * 3
    assert len({id(each) for each in [*df["l"], *df["m"], *(cell[0] for cell in df["l"])]}) == 9


def test_many_images_are_read_in_pieces_and_only_the_odd_ones_singly(monkeypatch):
    written = [
        json.dumps({"n": {"N": str(n)}, "s": {"S": "é"}}, ensure_ascii=False, separators=(",", ":"))
        for n in range(3_000)
    ]
    written[1_700] = '{"n": {"N": "1.5"}}'
    for n in range(2_000, 2_900, 2):  # a leaf that the sample of the first images does not show
        written[n] = f'{{"late":{{"BOOL":true}},"n":{{"N":"{n}"}}}}'
    monkeypatch.setattr(images, "_ROWS", 700)
    singly = []
    monkeypatch.setattr(images, "FEW", 10)
    read_singly = images._read_singly
    monkeypatch.setattr(
        images, "_read_singly", lambda column, rows: singly.append(rows.tolist()) or read_singly(column, rows)
    )
    fast = outcome(lambda: frame(pa.chunked_array([written])))
    assert fast == outcome(lambda: attributes.frame(written))
    assert singly == [[1_700]]


def test_a_map_with_a_name_an_item_is_read_all_the_same(decoded):
    written = [f'{{"scores":{{"M":{{"user-{n}":{{"N":"{n}"}}}}}}}}' for n in range(300)]
    assert outcome(lambda: frame(pa.chunked_array([written]))) == outcome(lambda: attributes.frame(written))


def test_images_that_have_little_in_common_are_read_one_by_one_as_that_takes_less(decoded):
    several = [
        json.dumps({f"{kind} {n}": {"S": ""} for n in range(3)}, separators=(",", ":"))
        for kind in range(40)
        for _ in "ab"
    ]
    with Reader(threads=1) as reader:
        assert len(reader.read(pa.chunked_array([several]))[1]) == len(several)
        assert len(Reader.read(reader, pa.chunked_array([several[:2] * 9]))[1]) == 18
    with Reader(threads=1) as reader:
        assert not len(reader.read(pa.chunked_array([several[:14]]))[1])
