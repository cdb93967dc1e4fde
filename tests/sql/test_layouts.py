"""What Athena takes for keys and images by patterns is what `workbench.model.records` takes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from tests.helpers.profiles import examples
from tests.log.test_reader import EMPTY
from workbench.errors import RecordRefused
from workbench.model.records import canonical_json, canonical_keys
from workbench.sql.layouts import _PATTERNS, layout_of_columns
from workbench.sql.templates import load

NAMES = st.sampled_from(["M", "S", "L", "N", "a", '"}', "NULL", ""])
WRONG = st.sampled_from(
    [
        None,
        {},
        [],
        "x",
        1,
        True,
        {"S": 1},
        {"N": "1,5"},
        {"N": "-.5e+3"},
        {"N": "."},
        {"B": "A"},
        {"X": "a"},
        {"S": "a", "N": "1"},
        {"S": "a", "N": None},
        {"SS": [None]},
        {"NS": ["1"], "M": None},
    ]
)
RIGHT = st.sampled_from(
    [
        {"S": '"}'},
        {"N": "-1.5"},
        {"B": "AA=="},
        {"BOOL": True},
        {"NULL": True},
        {"SS": ["a,]", "b"]},
        {"NS": []},
        {"BS": ["", "AQID"]},
        {"M": {}},
        {"L": []},
    ]
)
VALUES = st.recursive(
    RIGHT | WRONG,
    lambda inner: st.one_of(
        st.dictionaries(NAMES, inner, max_size=2).map(lambda members: {"M": members}),
        st.dictionaries(NAMES, inner, max_size=2),
        st.lists(inner, max_size=2).map(lambda members: {"L": members}),
    ),
    max_leaves=6,
)


def without_nulls(image: Any) -> str:
    """Write JSON as parts/json.sql does: by its own pattern."""
    pattern, into = re.findall(r"^    '(.*)',?$", load("parts/json"), re.MULTILINE)
    text = json.dumps(image, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return re.sub(pattern, into.replace("$", "\\"), text)


def takes(image: Any) -> bool:
    left = re.sub(_PATTERNS["values"], "!", without_nulls(image))
    return left == "{}" or bool(re.search(_PATTERNS["image"], left))


def accepted(check: Any, image: Any) -> bool:
    try:
        check(image)
    except RecordRefused:
        return False
    return True


@examples(500, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(NAMES, VALUES, max_size=3))
@example({"M": {"M": {"M": {"S": "x"}}}})
@example({"M": {"M": {"M": {"M": {"M": {"S": "x"}}}}}})
@example({"a": {"L": [{"L": []}, {"M": {}}, {"S": '{"S":"'}]}, "b": None})
def test_an_image_is_one_to_athena_where_it_is_one_to_records(image):
    assert takes(image) == accepted(canonical_json, image)


@pytest.mark.parametrize("image", EMPTY, ids=str)
def test_no_image_that_is_none_is_taken(image):
    assert not takes({"pk": {"S": "x"}} | image)


@examples(300, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(NAMES, st.sampled_from([{"S": "x"}, {"N": "1"}, {"B": "AA=="}]) | VALUES, max_size=3))
def test_keys_are_keys_to_athena_where_they_are_to_records(keys):
    assert bool(re.search(_PATTERNS["key"], without_nulls(keys))) == accepted(canonical_keys, keys)


def test_a_table_with_the_columns_of_two_layouts_is_read_by_row():
    both = dict.fromkeys(["event_id", "event_name", "ts", "keys", "new_image", "eventname"], "string")
    assert layout_of_columns(both | {"dynamodb": "string"}) == "raw"
    assert layout_of_columns(both | {"dynamodb": "struct<keys:struct<pk:struct<s:string>>>"}) == "struct"
    assert layout_of_columns(both) == "envelope"
