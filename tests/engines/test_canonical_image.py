"""The embedded engine's fast way to an image's canonical form is the model's own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.engines.ingest import canonical_image
from workbench.model.canonical import canonical_json

_NUMBERS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.integers().map(str),
    st.sampled_from(["-0", "0.0", "1E+5", "1e-130", "007", "1.50", ".5", "5.", "-0.10", "9" * 38, "0." + "1" * 38]),
)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ['"', "\\", "\x1f", "\x7f", "😀", "\u2028"]
)
_VALUES = st.recursive(
    st.one_of(
        st.builds(lambda text: {"S": text}, _TEXTS),
        st.builds(lambda number: {"N": number}, _NUMBERS),
        st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
        st.just({"NULL": True}),
        st.builds(lambda texts: {"SS": texts}, st.lists(_TEXTS, max_size=4)),
        st.builds(lambda numbers: {"NS": numbers}, st.lists(_NUMBERS, max_size=4)),
        st.sampled_from([{"B": "AQI="}, {"BS": ["AQI=", "AA=="]}]),
    ),
    lambda inner: st.one_of(
        st.builds(lambda members: {"M": members}, st.dictionaries(_TEXTS, inner, max_size=4)),
        st.builds(lambda elements: {"L": elements}, st.lists(inner, max_size=4)),
    ),
    max_leaves=12,
)


@given(st.dictionaries(_TEXTS, _VALUES, max_size=5), st.booleans())
def test_an_image_has_one_canonical_form(image, ascii_only):
    text = json.dumps(image, ensure_ascii=ascii_only)
    assert canonical_image(text) == canonical_json(image)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":{"N":"x"}}',
        '{"a":{"S":1}}',
        '{"a":{"X":""}}',
        '{"a":{"S":"","N":"1"}}',
        '{"a":1}',
        "[]",
        "{",
        '{"a":{"SS":[1]}}',
        '{"a":{"B":"?"}}',
        '{"a":{"L":[{"N":"1 "}]}}',
    ],
)
def test_what_is_no_image_stays_as_it_is(text):
    assert canonical_image(text) == text


def test_null_members_are_no_attributes():
    assert canonical_image('{"b":{"S":"x","N":null},"a":null}') == '{"b":{"S":"x"}}'
