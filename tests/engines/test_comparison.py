"""Pairs of images compared by DuckDB, and what `differences` tells of each pair."""

from __future__ import annotations

import json
from collections.abc import Callable

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.helpers.images import damaged, written
from workbench.engines import comparison, images
from workbench.engines.comparison import CHANGES, Comparer, Differences
from workbench.errors import RecordRefused
from workbench.model.canonical import refuse_images
from workbench.model.differences import differences

often = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let DuckDB compare however few images there are."""
    monkeypatch.setattr(images, "FEW", 1)
    monkeypatch.setattr(comparison, "FEW", 1)


def compare(pairs: list[tuple[str | None, str | None]], **options: bool) -> Differences:
    old, new = (pa.chunked_array([list(side[:2]), list(side[2:])], pa.string()) for side in zip(*pairs, strict=True))
    with Comparer(threads=1) as comparer:
        return comparer.compare(old, new, **{"values": True} | options)


def told(pairs: list[tuple[str | None, str | None]]) -> object:
    """What the comparison tells, in plain words."""
    found = compare(pairs)
    sides = ([text and orjson.loads(text) for text in side.to_pylist()] for side in (found.before, found.after))
    rows = zip(found.pairs.tolist(), found.paths, found.changes, *sides, strict=True)
    return [(pair, found.names[path], CHANGES[change], *values) for pair, path, change, *values in rows]


def known(pairs: list[tuple[str | None, str | None]]) -> object:
    """What `differences` tells."""
    rows = []
    for number, (old, new) in enumerate(pairs):
        try:
            one, other = ({} if image is None else orjson.loads(image) for image in (old, new))
            for each in differences(one, other):
                rows.append((number, each.path, each.change, each.before, each.after))
        except (AttributeError, LookupError, TypeError, ValueError):
            refuse_images((old, new))
            raise
    return rows


def outcome(tell: Callable[[], object]) -> object:
    try:
        return tell()
    except RecordRefused as refused:
        return str(refused)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return type(error)


@st.composite
def changed(draw: Callable) -> tuple[str | None, str | None]:
    """An image and another, which mostly has much in common with it."""
    old = draw(written() | damaged() | st.none())
    new = draw(written() | damaged() | st.none() | st.just(old))
    if old and new and draw(st.booleans()):
        try:
            one, other = orjson.loads(old), orjson.loads(new)
            keys = draw(st.sets(st.sampled_from(sorted({*one, *other})))) if {*one, *other} else set()
            mixed = other | {name: value for name, value in one.items() if name in keys}
            new = json.dumps(mixed, ensure_ascii=False, separators=(",", ":"))
        except (ValueError, TypeError, AttributeError):
            pass
    return old, new


@often
@given(st.lists(changed(), min_size=1, max_size=8))
@example([('{"a":{"S":"x"}}', '{"a":{"NULL":true}}'), ('{"a":{"NULL":true}}', '{"a":{"NULL":false}}')])
@example([('{"a":{"M":{"b":{"S":"x"},"c":{"N":"1"}}},"b":{"S":""}}', '{"a":{"M":{}},"b":{"S":"y"}}')])
@example([('{"a":{"M":{}}}', '{"a":{"M":{"b":{"S":"x"}}}}'), ("{}", '{"a":{"M":{}}}'), ('{"a":{"M":{}}}', "{}")])
@example([('{"a":{"S":"x"}}', '{"a":{"M":{"b":{"S":"x"}}}}'), ('{"a":{"M":{"b":{"S":"x"}}}}', '{"a":{"N":"1"}}')])
@example([('{"a":{"M":{}}}', '{"a":{"N":"1"}}'), ('{"a":{"NS":["1","2"]}}', '{"a":{"NS":["2.0","3"]}}')])
@example([('{"n":{"N":"1.0"}}', '{"n":{"N":"1"}}'), ('{"n":{"N":"0x1"}}', '{"n":{"N":"1"}}')])
@example([('{"l":{"L":[{"N":"1"},{"S":"x"}]}}', '{"l":{"L":[{"N":"1.0"},{"S":"y"},{"S":"z"}]}}')] * 2)
@example([('{"a":{"S":"same"}', '{"a":{"S":"same"}')])
def test_the_differences_are_those_of_each_pair(decoded, pairs):
    assert outcome(lambda: told(pairs)) == outcome(lambda: known(pairs))


def test_what_is_found_without_values_is_the_same(decoded):
    pairs = [
        ('{"n":{"N":"1"},"s":{"SS":["a","b"]}}', '{"n":{"N":"2"},"s":{"SS":["a","c"]}}'),
        (None, '{"n":{"N":"1"}}'),
    ]
    found, with_values = compare(pairs, values=False), compare(pairs)
    for name in ("pairs", "paths", "changes"):
        assert getattr(found, name).tolist() == getattr(with_values, name).tolist()
    assert (found.before, found.after) == (None, None)
    assert [CHANGES[change] for change in found.changes] == ["changed", "members removed", "members added", "added"]


@often
@given(st.lists(changed(), min_size=1, max_size=8))
def test_what_is_not_asked_for_in_order_is_the_same_path_by_path(decoded, pairs):
    if not isinstance(outcome(lambda: known(pairs)), list):
        return
    found, ordered = compare(pairs, values=False, ordered=False), compare(pairs, values=False)
    rows = [*zip(found.pairs.tolist(), found.paths.tolist(), found.changes.tolist(), strict=True)]
    names = [found.names[path] for _, path, _ in rows]
    assert sorted((pair, str(name), change) for (pair, _, change), name in zip(rows, names, strict=True)) == sorted(
        (pair, str(ordered.names[path]), change)
        for pair, path, change in zip(ordered.pairs.tolist(), ordered.paths, ordered.changes.tolist(), strict=True)
    )
    at: dict[tuple[int, int], int] = {}  # a pair's differences at one path are neighbours
    for number, (pair, path, _) in enumerate(rows):
        assert at.get((pair, path), number - 1) == number - 1
        at[pair, path] = number


def test_batches_of_one_answer_number_their_paths_alike():
    with Comparer(threads=1) as comparer:
        found = [
            comparer.compare(pa.chunked_array([["{}"]]), pa.chunked_array([[f'{{"{name}":{{"S":""}}}}']]))
            for name in "aba"
        ]
    assert [each.paths.tolist() for each in found] == [[0], [1], [0]]
    assert found[-1].names == [("a",), ("b",)]


def test_many_pairs_are_compared_by_duckdb_and_only_the_odd_ones_singly(monkeypatch):
    monkeypatch.setattr(comparison, "FEW", 10)
    monkeypatch.setattr(images, "FEW", 10)
    pairs = [
        (f'{{"n":{{"N":"{n}"}},"l":{{"L":[{{"N":"1"}}]}}}}', f'{{"n":{{"N":"{n // 2 * 2}"}},"l":{{"L":[]}}}}')
        for n in range(900)
    ]
    pairs[17] = ('{"n": {"N":"1"}}', '{"n":{"N":"1.0"}}')
    singly = []
    one_by_one = Comparer._singly
    monkeypatch.setattr(
        Comparer,
        "_singly",
        lambda self, pairs, rows, values: singly.append(rows.tolist()) or one_by_one(self, pairs, rows, values),
    )
    assert told(pairs) == known(pairs)
    assert singly == [[17]]
