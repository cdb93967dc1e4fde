"""Differences between images, and the law that they lead from the one to the other."""

from __future__ import annotations

import copy
import random

from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.profiles import examples
from tests.properties.test_replay import VALUE, shuffled
from workbench.model.attribute_paths import column_name
from workbench.model.differences import apply, differences
from workbench.model.records import canonical_json

NAMES = st.sampled_from(["a", "b", "c.d", "ö"])
NESTED = st.recursive(
    VALUE,
    lambda inner: st.one_of(
        st.dictionaries(NAMES, inner, max_size=3).map(lambda v: {"M": v}),
        st.lists(inner, max_size=3).map(lambda v: {"L": v}),
    ),
    max_leaves=6,
)
IMAGE = st.dictionaries(NAMES, NESTED, max_size=4)


def found(old: dict | None, new: dict | None) -> list[tuple]:
    return [(column_name(d.path), d.change, d.before, d.after) for d in differences(old, new)]


@given(old=st.none() | IMAGE, new=st.none() | IMAGE)
@examples(400)
def test_differences_applied_to_the_old_image_give_the_new_one(old, new):
    kept = copy.deepcopy(old)
    assert canonical_json(apply(old, differences(old, new))) == canonical_json(new or {})
    assert old == kept


@given(image=IMAGE, data=st.data())
@examples(300)
def test_a_small_edit_is_applied_too(image, data):
    """Two random images share little; these share nearly all."""
    edited = copy.deepcopy(image)
    places = [edited]

    def collect(value):
        (inner,) = value.values()
        if isinstance(inner, dict):
            places.append(inner)
        if isinstance(inner, dict | list) and {"M", "L"} & value.keys():
            for child in inner.values() if isinstance(inner, dict) else inner:
                collect(child)

    for value in image and edited.values():
        collect(value)
    place = data.draw(st.sampled_from(places))
    if place and data.draw(st.booleans()):
        del place[data.draw(st.sampled_from(sorted(place)))]
    else:
        place[data.draw(NAMES)] = data.draw(NESTED)
    assert canonical_json(apply(image, differences(image, edited))) == canonical_json(edited)


@given(image=IMAGE, seed=st.integers(0, 2**32))
@examples(200)
def test_an_image_does_not_differ_from_itself_written_otherwise(image, seed):
    assert not found(image, shuffled(image, random.Random(seed)))
    assert not found({"n": {"N": "1E+2"}, "s": {"NS": ["1", "2.50"]}}, {"n": {"N": "100.0"}, "s": {"NS": ["2.5", "1"]}})


def test_each_kind_of_change_is_named_with_its_full_path():
    old = {"person": {"M": {"address": {"M": {"city": {"S": "Rome"}}}}}, "n": {"S": "1"}, "t": {"SS": ["x", "y"]}}
    new = {"person": {"M": {"address": {"M": {"city": {"S": "Oslo"}}}}}, "n": {"N": "1"}, "t": {"SS": ["y", "z"]}}
    assert found(old, new) == [
        ("n", "type changed", {"S": "1"}, {"N": "1"}),
        ("person.address.city", "changed", {"S": "Rome"}, {"S": "Oslo"}),
        ("t", "members removed", {"SS": ["x"]}, None),
        ("t", "members added", None, {"SS": ["z"]}),
    ]


def test_absent_null_and_empty_text_are_three_things():
    absent, null, empty = {}, {"a": {"NULL": True}}, {"a": {"S": ""}}
    assert found(absent, null) == [("a", "added", None, {"NULL": True})]
    assert found(null, empty) == [("a", "type changed", {"NULL": True}, {"S": ""})]
    assert found(empty, absent) == [("a", "removed", {"S": ""}, None)]


def test_elements_of_a_list_are_compared_by_index_and_new_maps_by_their_leaves():
    one, two = {"M": {"number": {"S": "1"}}}, {"M": {"number": {"S": "2"}, "kind": {"S": "home"}}}
    assert found({"phones": {"L": [one]}}, {"phones": {"L": [two, one]}}) == [
        ("phones[0].kind", "added", None, {"S": "home"}),
        ("phones[0].number", "changed", {"S": "1"}, {"S": "2"}),
        ("phones[1]", "added", None, one),
    ]
    assert [row[:2] for row in found(None, {"a": {"M": {"b": {"M": {}}, "c": {"L": []}}}})] == [
        ("a.b", "added"),
        ("a.c", "added"),
    ]


def test_names_that_would_be_misread_are_quoted():
    assert [row[0] for row in found({}, {"a[0]": {"S": ""}, "b.c": {"S": ""}, 'q"q': {"S": ""}})] == [
        '"a[0]"',
        '"b.c"',
        '"q""q"',
    ]
