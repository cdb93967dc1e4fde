"""A condition asked of many rows, by DuckDB where it is sure, tells the same as asked of each in Python."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from workbench.engines.holding import surely_holding
from workbench.model.conditions import CHANGES, LATEST, parse
from workbench.questions.state import holding

VALUES = [
    {"N": "1"},
    {"N": "1.0"},
    {"N": "2"},
    {"N": "0.1"},
    {"N": "9007199254740993"},
    {"N": "1e20"},
    {"S": "1"},
    {"S": "it's"},
    {"BOOL": True},
]
VALUES += [
    {"N": "0.1000000000000000000001"},
    {"NULL": True},
    {"B": "AQ=="},
    {"M": {"b": {"N": "5"}}},
    {"L": [{"S": "x"}]},
    None,
]
ITEMS = [json.dumps({"a": value} if value else {}) for value in VALUES]
EITHER = [
    "a > 0.1",
    "a >= 0.1",
    "a = 1",
    "a <> 1",
    "a > 9007199254740992",
    "a = x'01'",
    "not a like 'it%'",
    "a is absent or a.b = 5",
    "size(a) = 1",
    "size(a) <> 1 or size(a.b) > 5 or a = 2",
    "contains(a, 'x') or contains(a, 'it''s')",
    "starts_with(a, 'it') or a = a and a > 1",
]


@pytest.mark.parametrize(
    "where", [*EITHER, "a[0] = 'x' and not a is null", "_by_ttl = true or a = 2", "_deleted_at > '1960-01-01'"]
)
def test_items_are_the_same_asked_all_at_once_and_few_at_a_time(where):
    images = [*ITEMS, None] * 60
    times = pa.array(range(len(images)), pa.timestamp("us"))
    rows = pa.table({"keys": images, "image": images, "ts": times, "by_ttl": [True, False] * (len(images) // 2)})
    assert_alike(rows, parse(where, LATEST), "image")


@pytest.mark.parametrize(
    "where",
    [
        *EITHER,
        "new.a > 0.1 and old.a <= 9",
        "changed(a)",
        "not changed(a)",
        "new.a <> old.a",
        "new.a = old.a",
        "new.a > old.a or size(new.a) > size(old.a)",
        "size_bytes > 5",
        "event_name = 'REMOVE'",
        "ts > '1970-01-01T00:00:00.000500Z'",
    ],
)
def test_changes_are_the_same_asked_all_at_once_and_few_at_a_time(where):
    pairs = [(one, other) for one in [*ITEMS, None] for other in [*ITEMS[::2], None]] * 6
    new, old = zip(*pairs, strict=True)
    rows = pa.table(
        {
            "ts": pa.array(range(len(pairs)), pa.timestamp("us")),
            "event_id": [str(number) for number in range(len(pairs))],
            "event_name": ["MODIFY", "REMOVE"] * (len(pairs) // 2),
            "by_ttl": [False] * len(pairs),
            "size_bytes": pa.array([number % 10 or None for number in range(len(pairs))], pa.int64()),
            "new_image": pa.array(new, pa.string()),
            "old_image": pa.array(old, pa.string()),
        }
    )
    assert_alike(rows, parse(where, CHANGES), "new_image", "old_image")


def assert_alike(rows, condition, *images):
    singly = pa.concat_tables(holding(rows.slice(at, 100), condition, *images) for at in range(0, len(rows), 100))
    assert 0 < len(singly) < len(rows)
    assert holding(rows, condition, *images).equals(singly)
    assert surely_holding(rows, condition, *images).any() or "b'" in repr(condition)  # of binary nothing is sure


def test_of_an_image_that_is_no_json_nothing_is_sure():
    rows = pa.table({"image": ['{"a":{"N":"1"}}'] * 999 + ["{"]})
    assert not surely_holding(rows, parse("a > 0"), "image").any()
